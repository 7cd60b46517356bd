package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.UnitOfWork.Isolation;
import io.stagedjobs.Work;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.OffsetDateTime;
import java.util.Objects;
import java.util.Optional;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * The users in PostgreSQL, each change together with its row in {@code user_actions} and its job.
 *
 * <p><b>Transactions</b>: every method runs one of its own. <b>Threads</b>: safe for use by many. <b>Failure</b>: what
 * {@link UnitOfWork#call} and jOOQ throw; then nothing was stored, unless the exception says otherwise.
 */
final class Users {

    /** Where the sample's jobs go; the demo's plain SQL names it too. */
    static final String TOPIC = "users";

    /**
     * Serializable units that look up and insert at the same place of one index conflict with each other even if they
     * concern different users; while there are few users, that is all of them. A pause follows each conflict, so that
     * this many attempts mean trouble that lasts for seconds.
     */
    static final int ATTEMPTS_MAX = 20;

    private static final String SCHEMA = "schema.sql";

    private final DSLContext dsl;
    private final UnitOfWork unit;
    private final StagedJobs stagedJobs = new StagedJobs();
    private final String topic;

    /** What {@code user.created} tells; the audit pairs records with rows by the action's id. */
    private record UserCreated(long userId, String email, long actionId) {}

    Users(DataSource dataSource, String topic) {
        this(dataSource, topic, ATTEMPTS_MAX);
    }

    Users(DataSource dataSource, String topic, int attemptsMax) {
        this.dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        this.unit = UnitOfWork.on(dataSource)
                .isolation(Isolation.SERIALIZABLE)
                .attemptsMax(attemptsMax)
                .retryUniqueViolations();
        this.topic = topic;
    }

    /** Creates the sample's tables where they are missing; many processes may do so at once. */
    void createTables() {
        // Looking first lets a role that may not create anything use tables that somebody made for it.
        boolean exist = dsl.fetchSingle(
                        "SELECT to_regclass('users') IS NOT NULL AND to_regclass('user_actions') IS NOT NULL")
                .into(boolean.class);
        if (exist) {
            return;
        }
        dsl.transaction(transaction -> {
            // IF NOT EXISTS alone does not keep two sessions from creating the same table at the same time.
            transaction.dsl().execute("SELECT pg_advisory_xact_lock(hashtextextended('staged-jobs sample tables', 0))");
            transaction.dsl().execute(schema());
        });
    }

    /**
     * The user with this address; created, with the audit row and the job {@code user.created}, if there is none.
     * Of several calls at once for one address, one creates the user and the others return it.
     */
    User signUp(String email) {
        return unit.call(work -> {
            Optional<User> known = find(work.dsl(), email);
            if (known.isPresent()) {
                return known.get();
            }
            User user = insert(work.dsl(), email);
            work.stage(userCreated(work, user));
            return user;
        });
    }

    /**
     * As {@link #signUp}, but fails when everything is written and nothing committed: a failure at the worst moment, to
     * show that it leaves no trace.
     *
     * @throws FailedOnPurposeException always
     */
    void signUpAndFail(String email) {
        unit.run(work -> {
            if (find(work.dsl(), email).isEmpty()) {
                User user = insert(work.dsl(), email);
                // Work.stage would write the job only after this block; here it is to be in the table when it fails.
                stagedJobs.stage(work.dsl(), userCreated(work, user));
            }
            throw new FailedOnPurposeException();
        });
    }

    /** The user with this address, if there is one. */
    Optional<User> find(String email) {
        return find(dsl, email);
    }

    /** Returns if the database answers. */
    void ping() {
        dsl.execute("SELECT 1");
    }

    private static Optional<User> find(DSLContext dsl, String email) {
        return dsl.fetchOptional("SELECT id, email, name, created_at FROM users WHERE email = ?", email)
                .map(Users::user);
    }

    private static User insert(DSLContext dsl, String email) {
        return user(
                dsl.fetchSingle("INSERT INTO users (email) VALUES (?) RETURNING id, email, name, created_at", email));
    }

    /** Writes the audit row and makes the job that tells of it. */
    private StagedJob userCreated(Work work, User user) {
        long actionId = work.dsl()
                .fetchSingle("INSERT INTO user_actions (user_id, action) VALUES (?, 'created') RETURNING id", user.id())
                .into(long.class);
        return StagedJob.builder(topic, "user.created")
                .key(Long.toString(user.id()))
                .json(new UserCreated(user.id(), user.email(), actionId))
                .build();
    }

    private static User user(Record row) {
        return new User(
                row.get("id", Long.class),
                row.get("email", String.class),
                row.get("name", String.class),
                row.get("created_at", OffsetDateTime.class).toInstant().toString());
    }

    private static String schema() {
        try (InputStream in = Objects.requireNonNull(Users.class.getResourceAsStream(SCHEMA), SCHEMA)) {
            return new String(in.readAllBytes(), UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
