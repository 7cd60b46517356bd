package io.stagedjobs.enqueuer.cli;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.postgres.Database;
import io.stagedjobs.enqueuer.postgres.DatabaseIdentity;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Installs or upgrades the tables; safe to run again, and from many processes at once. */
@Command(
        name = "migrate",
        description = "Installs or upgrades the schema; safe to run again, and by many at once.",
        mixinStandardHelpOptions = true)
final class MigrateCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--payload-max",
            paramLabel = "BYTES",
            description = "largest payload that the table takes (900000 at first)")
    private @Nullable Integer payloadMax;

    @Option(
            names = "--change-delivery",
            paramLabel = "MODE",
            description =
                    "gives the database this delivery mode and a new name for Kafka; drain and stop every enqueuer first")
    private @Nullable String changeDelivery;

    @Option(
            names = "--lanes",
            paramLabel = "COUNT",
            description =
                    "spreads the jobs over so many lanes, 1 to 64 (1 at first), and gives the database a new name for"
                            + " Kafka; drain and stop every enqueuer first")
    private @Nullable Integer lanes;

    @Override
    public Integer call() throws SQLException {
        Settings settings = Cli.settings(spec);
        Database database = EnqueuerAssembly.database(settings);
        Schema schema = EnqueuerAssembly.schema(settings);
        try (Connection connection = database.connect()) {
            int applied = schema.migrate(connection);
            print(
                    applied == 0
                            ? "schema \"" + schema.name() + "\" is at version " + Schema.versionKnown()
                                    + " already, nothing to do"
                            : "schema \"" + schema.name() + "\" is at version " + Schema.versionKnown() + " now, "
                                    + applied + " migration(s) applied");
            if (payloadMax != null) {
                limitPayload(schema, connection, payloadMax);
            }
            if (lanes != null) {
                changeLanes(settings, schema, connection, lanes);
            }
            if (changeDelivery != null) {
                changeDelivery(settings, schema, connection, changeDelivery);
            }
        }
        return 0;
    }

    private void changeDelivery(Settings settings, Schema schema, Connection connection, String mode) {
        DeliveryMode delivery;
        try {
            delivery = DeliveryMode.parse(mode);
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of(
                    "--change-delivery is wrong: expected " + Setting.DELIVERY.expected() + ", got \"" + mode + '"'));
        }
        DatabaseIdentity.change(
                connection,
                schema,
                delivery,
                settings.get(Setting.TAKEOVER_AFTER).toMillis());
        print("the delivery mode is " + mode + " now; start every enqueuer with STAGED_JOBS_DELIVERY=" + mode);
    }

    private void changeLanes(Settings settings, Schema schema, Connection connection, int count) {
        try {
            boolean changed = DatabaseIdentity.changeLanes(
                    connection,
                    schema,
                    count,
                    settings.get(Setting.TAKEOVER_AFTER).toMillis(),
                    this::print);
            print(
                    changed
                            ? "jobs are spread over " + count + " lane(s) now; start the enqueuers"
                            : "jobs are spread over " + count + " lane(s) already, nothing to do");
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of("--lanes is wrong: " + e.getMessage()));
        }
    }

    private void limitPayload(Schema schema, Connection connection, int bytes) {
        try {
            schema.limitPayload(connection, bytes, this::print);
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of("--payload-max is wrong: " + e.getMessage()));
        }
        print("payloads may have up to " + bytes + " bytes now");
        if (bytes > Schema.PAYLOAD_BYTES_MAX_DEFAULT) {
            print("raise the topics' max.message.bytes and the enqueuer's kafka.max.request.size along with it");
        }
    }

    private void print(String line) {
        spec.commandLine().getOut().println(Cli.printable(line));
        spec.commandLine().getOut().flush();
    }
}
