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

/** Installs or upgrades the tables; safe to repeat, and to run from many processes at once. */
@Command(
        name = "migrate",
        description = "Installs or upgrades the tables. It is safe to repeat, and to run from many processes at once.",
        footer = {
            "  staged-jobs migrate",
            "  staged-jobs migrate --payload-max 2000000",
            "  staged-jobs migrate --lanes 4            # drain and stop the enqueuers first",
            "  staged-jobs migrate --inbox              # for consumers, in the database of their effects"
        },
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
                    "spreads the jobs over this number of lanes, 1 to 64 (1 at first), and gives the database a new"
                            + " name for Kafka; drain and stop every enqueuer first")
    private @Nullable Integer lanes;

    @Option(
            names = "--inbox",
            description = "installs or upgrades the tables of consumers instead, which may be in another database")
    private boolean inbox;

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    /**
     * The result; what was not asked for is null.
     *
     * @param applied the number of migrations that were applied
     * @param lanesChanged false if the number of lanes was right already
     */
    private record Migrated(
            String schema,
            int version,
            int applied,
            @Nullable Integer payloadMax,
            @Nullable Integer lanes,
            @Nullable Boolean lanesChanged,
            @Nullable String delivery) {}

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
        int version = inbox ? InboxSchema.versionKnown() : Schema.versionKnown();
        int applied = inbox ? InboxSchema.migrate(connection, schema) : schema.migrate(connection);
        print((inbox ? "the inbox in " : "") + "schema \"" + schema.name() + "\" is at version " + version
                + (applied == 0 ? " already, nothing to do" : " now, " + applied + " migration(s) applied"));
        long takeoverAfterMillis = settings.get(Setting.TAKEOVER_AFTER).toMillis();
        if (payloadMax != null) {
            limitPayload(schema, connection, payloadMax);
        }
        Boolean lanesChanged =
                lanes == null ? null : (Boolean) changeLanes(takeoverAfterMillis, schema, connection, lanes);
        if (changeDelivery != null) {
            DeliveryMode delivery = DeliveryMode.parse(changeDelivery);
            DatabaseIdentity.change(connection, schema, delivery, takeoverAfterMillis);
            print("the delivery mode is " + delivery + " now; start every enqueuer with STAGED_JOBS_DELIVERY="
                    + delivery);
        }
        if (json) {
            printJson(new Migrated(schema.name(), version, applied, payloadMax, lanes, lanesChanged, changeDelivery));
        }
    }

    private boolean changeLanes(long takeoverAfterMillis, Schema schema, Connection connection, int count) {
        boolean changed = DatabaseIdentity.changeLanes(connection, schema, count, takeoverAfterMillis, told -> {});
        print(
                changed
                        ? "jobs are spread over " + count + " lane(s) now; start the enqueuers"
                        : "jobs are spread over " + count + " lane(s) already, nothing to do");
        return changed;
    }

    private void limitPayload(Schema schema, Connection connection, int bytes) {
        schema.limitPayload(connection, bytes, told -> {});
        print("payloads may have up to " + bytes + " bytes now");
        if (bytes > Schema.PAYLOAD_BYTES_MAX_DEFAULT) {
            print("raise the topics' max.message.bytes and the enqueuer's kafka.max.request.size along with it");
        }
    }

    private void print(String line) {
        if (!json) {
            out().println(Cli.printable(line));
        }
    }
}
