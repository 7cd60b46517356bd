package io.stagedjobs.daemon.cli;

import io.stagedjobs.consumer.InboxSchema;
import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.postgres.DatabaseIdentity;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Installs or upgrades the tables; safe to run again, and from many processes at once. */
@Command(
        name = "migrate",
        description = "Installs or upgrades the schema; safe to run again, and by many at once.",
        mixinStandardHelpOptions = true)
final class MigrateCommand extends DatabaseCommand {

    @Option(
            names = "--payload-max",
            paramLabel = "BYTES",
            description = "largest payload that the table takes (900000 at first)")
    private @Nullable Integer payloadMax;

    @Option(
            names = "--change-delivery",
            paramLabel = "MODE",
            description =
                    "gives the database this delivery mode and a new name for Kafka; drain and stop every enqueuer"
                            + " first")
    private @Nullable String changeDelivery;

    @Option(
            names = "--lanes",
            paramLabel = "COUNT",
            description =
                    "spreads the jobs over so many lanes, 1 to 64 (1 at first), and gives the database a new name for"
                            + " Kafka; drain and stop every enqueuer first")
    private @Nullable Integer lanes;

    @Option(
            names = "--inbox",
            description = "installs or upgrades the tables of consumers instead, which may be in another database")
    private boolean inbox;

    @Override
    void check() {
        if (inbox && (payloadMax != null || changeDelivery != null || lanes != null)) {
            throw wrong("--inbox stands alone: the other options are about staged jobs");
        }
        requireWithin("--payload-max", payloadMax, Schema.PAYLOAD_BYTES_MAX);
        requireWithin("--lanes", lanes, Schema.LANES_MAX);
        if (changeDelivery != null) {
            try {
                DeliveryMode.parse(changeDelivery);
            } catch (IllegalArgumentException e) {
                throw wrong("--change-delivery is wrong: expected " + Setting.DELIVERY.expected() + ", got \""
                        + Cli.printable(changeDelivery) + '"');
            }
        }
    }

    private void requireWithin(String option, @Nullable Integer value, int max) {
        if (value != null && (value < 1 || value > max)) {
            throw wrong(option + " is wrong: expected 1 to " + max + ", got " + value);
        }
    }

    /** The tables may be missing or old. */
    @Override
    Connection connect(Settings settings) {
        return EnqueuerAssembly.database(settings).connect();
    }

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        if (inbox) {
            installed("the inbox in ", schema, InboxSchema.migrate(connection, schema), InboxSchema.versionKnown());
            return;
        }
        installed("", schema, schema.migrate(connection), Schema.versionKnown());
        long takeoverAfterMillis = settings.get(Setting.TAKEOVER_AFTER).toMillis();
        if (payloadMax != null) {
            limitPayload(schema, connection, payloadMax);
        }
        if (lanes != null) {
            changeLanes(takeoverAfterMillis, schema, connection, lanes);
        }
        if (changeDelivery != null) {
            DeliveryMode delivery = DeliveryMode.parse(changeDelivery);
            DatabaseIdentity.change(connection, schema, delivery, takeoverAfterMillis);
            print("the delivery mode is " + delivery + " now; start every enqueuer with STAGED_JOBS_DELIVERY="
                    + delivery);
        }
    }

    private void installed(String what, Schema schema, int applied, int version) {
        print(what + "schema \"" + schema.name() + "\" is at version " + version
                + (applied == 0 ? " already, nothing to do" : " now, " + applied + " migration(s) applied"));
    }

    private void changeLanes(long takeoverAfterMillis, Schema schema, Connection connection, int count) {
        boolean changed = DatabaseIdentity.changeLanes(connection, schema, count, takeoverAfterMillis, told -> {});
        print(
                changed
                        ? "jobs are spread over " + count + " lane(s) now; start the enqueuers"
                        : "jobs are spread over " + count + " lane(s) already, nothing to do");
    }

    private void limitPayload(Schema schema, Connection connection, int bytes) {
        schema.limitPayload(connection, bytes, told -> {});
        print("payloads may have up to " + bytes + " bytes now");
        if (bytes > Schema.PAYLOAD_BYTES_MAX_DEFAULT) {
            print("raise the topics' max.message.bytes and the enqueuer's kafka.max.request.size along with it");
        }
    }

    private void print(String line) {
        out().println(Cli.printable(line));
        out().flush();
    }
}
