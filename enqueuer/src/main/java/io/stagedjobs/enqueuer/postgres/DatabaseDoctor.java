package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.diagnosis.ClockOffset;
import io.stagedjobs.enqueuer.diagnosis.DatabaseChecks;
import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.Thresholds;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import io.stagedjobs.enqueuer.diagnosis.Work;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.SchemaException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** The checks of PostgreSQL. Each look opens connections of its own, and closes them. */
public final class DatabaseDoctor implements DatabaseChecks {

    /** Longer than any statement may take here. */
    private static final Duration SILENCE_MAX = Duration.ofSeconds(10);

    private final Database database;
    private final Schema schema;
    private final Expected expected;
    private final Thresholds thresholds;

    /** What the settings ask for. */
    public record Expected(DeliveryMode delivery, Duration publishTimeout, Duration takeoverAfter) {}

    public DatabaseDoctor(Database database, Schema schema, Expected expected, Thresholds thresholds) {
        this.database = database;
        this.schema = schema;
        this.expected = expected;
        this.thresholds = thresholds;
    }

    @Override
    public Looked look() {
        try (Connection connection = database.connect(SILENCE_MAX)) {
            return look(connection);
        } catch (SQLException e) {
            throw Transactions.outside("close a connection", e);
        }
    }

    private Looked look(Connection connection) {
        ShortLook look = new ShortLook(connection);
        List<Finding> findings = new ArrayList<>();
        ClockOffset clock = clock(look);
        if (!isCurrent(look, connection, findings)) {
            return new Looked(null, null, 0, Set.of(), clock, findings);
        }
        WorkReader reader = new WorkReader(look, schema, expected.takeoverAfter());
        reader.begin();
        RoleFindings role = new RoleFindings(look, schema, expected.publishTimeout());
        findings.addAll(role.privileges());
        findings.addAll(role.session());
        findings.addAll(pooler());
        TableFindings tables = new TableFindings(look, schema, thresholds);
        findings.addAll(tables.strangers());
        findings.addAll(tables.vacuum());
        SnapshotFindings snapshots = new SnapshotFindings(look, schema, thresholds);
        findings.addAll(snapshots.holders());
        List<Work.Writer> writers = snapshots.writers(findings);
        Work work = reader.work(writers, findings);
        String name = name(look, connection, findings);
        Set<String> topics = new TreeSet<>(reader.topics(findings));
        if (work != null) {
            work.aside().stream()
                    .filter(Work.Aside::held)
                    .map(Work.Aside::topic)
                    .forEach(topics::add);
        }
        return new Looked(work, name, payloadBytesMax(look, connection), topics, clock, findings);
    }

    private static @Nullable ClockOffset clock(ShortLook look) {
        try {
            look.at(dsl -> dsl.fetch("SELECT 1")); // what a first question costs more is not the clock's
            return look.at(dsl -> {
                try {
                    return ClockOffset.measure(
                            () -> dsl.fetchSingle("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8")
                                    .get(0, long.class));
                } catch (RuntimeException e) {
                    throw e;
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
        } catch (DataAccessException e) {
            return null;
        }
    }

    private boolean isCurrent(ShortLook look, Connection connection, List<Finding> findings) {
        String check = "schema version";
        try {
            look.at(dsl -> {
                schema.requireCurrent(connection);
                return true;
            });
            findings.add(new Finding(
                    check, Verdict.OK, "version " + Schema.versionKnown() + " in " + schema.quotedName(), ""));
            return true;
        } catch (SchemaException e) {
            findings.add(new Finding(
                    check,
                    Verdict.WRONG,
                    String.valueOf(e.getMessage()).replaceFirst("\\. Nothing was changed\\..*", ""),
                    "Run the release that fits, or: staged-jobs migrate; if the tables are elsewhere, set"
                            + " STAGED_JOBS_DATABASE_SCHEMA"));
        } catch (DataAccessException e) {
            findings.add(ShortLook.notLooked(check, e));
        }
        return false;
    }

    private @Nullable String name(ShortLook look, Connection connection, List<Finding> findings) {
        String check = "delivery mode";
        try {
            DatabaseIdentity identity = look.at(dsl -> DatabaseIdentity.read(connection, schema, expected.delivery()));
            findings.add(new Finding(
                    check,
                    Verdict.OK,
                    expected.delivery() + ", " + identity.lanes() + (identity.lanes() == 1 ? " lane" : " lanes")
                            + ", known to Kafka as " + identity.name(),
                    ""));
            return identity.name();
        } catch (ExternalFailureException | SchemaException e) {
            String words = String.valueOf(e.getMessage());
            boolean refused = words.startsWith("cannot ");
            findings.add(new Finding(
                    check,
                    refused ? Verdict.WRONG : Verdict.NOT_LOOKED,
                    words.replaceFirst("\\. Nothing was changed\\..*", ""),
                    words.contains("Nothing was changed. ")
                            ? words.replaceFirst(".*Nothing was changed\\. ", "")
                                    .replaceFirst("\\.$", "")
                            : "Grant this role what operations.md lists under \"Roles and grants\""));
            return null;
        }
    }

    private int payloadBytesMax(ShortLook look, Connection connection) {
        try {
            return look.at(dsl -> schema.payloadBytesMax(connection));
        } catch (SchemaException | DataAccessException unknown) {
            return 0;
        }
    }

    /** Whether what a session is to begin with arrives. */
    private List<Finding> pooler() {
        String check = "pooler";
        try (Connection session = database.open(SessionSettings.startupOptions(expected.publishTimeout()))) {
            boolean direct = SessionSettings.isPinned(session);
            return List.of(
                    direct
                            ? new Finding(check, Verdict.OK, "none: sessions keep what they begin with", "")
                            : new Finding(
                                    check,
                                    Verdict.WARNING,
                                    "a pooler is between, or parameters in STAGED_JOBS_DATABASE_URL take the place of"
                                            + " ours: sessions do not keep what they begin with, so that each"
                                            + " transaction sets it, which costs speed",
                                    "Name PostgreSQL itself in STAGED_JOBS_DATABASE_URL, or have PgBouncer track"
                                            + " search_path: track_extra_parameters = search_path"));
        } catch (SQLException e) {
            return List.of(Finding.notLooked(
                    check,
                    String.valueOf(
                            Transactions.outside("open a second connection", e).getMessage()),
                    ""));
        }
    }
}
