package io.stagedjobs.daemon.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.postgres.LockWatch;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A command that works on one connection. While it waits for a lock, it says who holds that. */
abstract class DatabaseCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    /** Refuses wrong arguments, before anything is connected to. */
    void check() {}

    /** Connects; unless the command says otherwise, only to the schema of this release. */
    Connection connect(Settings settings) {
        return EnqueuerAssembly.connect(settings);
    }

    abstract void run(Connection connection, Schema schema, Settings settings);

    @Override
    @SuppressWarnings("try") // the watch works by being there
    public final Integer call() throws SQLException {
        check();
        Settings settings = Cli.settings(spec);
        try (Connection connection = connect(settings);
                LockWatch watch = new LockWatch(EnqueuerAssembly.database(settings), connection, this::report)) {
            run(connection, EnqueuerAssembly.schema(settings), settings);
        }
        return 0;
    }

    private void report(String line) {
        PrintWriter err = spec.commandLine().getErr();
        err.println(spec.name() + ": " + Cli.printable(line));
        err.flush();
    }

    final PrintWriter out() {
        return spec.commandLine().getOut();
    }

    final void printJson(Object value) {
        try {
            out().println(new JsonMapper().writeValueAsString(value));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("could not write " + value.getClass() + " as JSON", e);
        }
    }

    /** Wrong usage, in words that show no value that may be secret. */
    final ParameterException wrong(String words) {
        return new ParameterException(spec.commandLine(), words);
    }
}
