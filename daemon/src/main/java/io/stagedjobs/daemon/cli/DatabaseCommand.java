package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.postgres.LockWatch;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A command that works on one connection. While it waits for a lock, it names the sessions that hold the lock. */
abstract class DatabaseCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    /** Refuses wrong arguments, before it connects. */
    void check() {}

    /** Connects, by default only to the schema of this release. */
    Connection connect(Settings settings) {
        return EnqueuerAssembly.connect(settings);
    }

    abstract void run(Connection connection, Schema schema, Settings settings);

    @Override
    @SuppressWarnings("try") // the watch works until it is closed
    public Integer call() throws SQLException {
        check();
        Settings settings = settings();
        try (Connection connection = connect(settings);
                LockWatch watch = new LockWatch(EnqueuerAssembly.database(settings), connection, this::report)) {
            run(connection, EnqueuerAssembly.schema(settings), settings);
        }
        return 0;
    }

    private void report(String line) {
        TerminalWriter err = err();
        synchronized (err) {
            err.control(TerminalWriter.ERASE_LINE);
            err.println(spec.name() + ": " + Cli.printable(line));
        }
    }

    final Settings settings() {
        return Cli.settings(spec);
    }

    final Terminal terminal() {
        return Cli.terminal(spec);
    }

    final String name() {
        return spec.name();
    }

    final TerminalWriter out() {
        return (TerminalWriter) spec.commandLine().getOut();
    }

    final TerminalWriter err() {
        return (TerminalWriter) spec.commandLine().getErr();
    }

    final void printJson(Object value) {
        Json.print(out(), value);
    }

    /** Wrong usage, in words that show no value that may be secret. */
    final ParameterException wrong(String words) {
        return new ParameterException(spec.commandLine(), words);
    }
}
