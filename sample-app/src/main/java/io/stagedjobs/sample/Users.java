package io.stagedjobs.sample;

import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import java.time.OffsetDateTime;
import java.util.Optional;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * The users in PostgreSQL, each change together with its row in {@code user_actions} and its job.
 *
 * <p><b>Transactions</b>: every method runs one of its own; signing up joins the unit of work that is open on the thread, if
 * there is one. <b>Threads</b>: safe for use by many. <b>Failure</b>: what
 * {@link UnitOfWork#call} and jOOQ throw; then nothing was stored, unless the exception says otherwise.
 */
final class Users {

    private final DSLContext dsl;
    private final UnitOfWork unit;
    private final StagedJobs stagedJobs = new StagedJobs();
    private final String topic;

    /** What {@code user.created} tells; the audit pairs records with rows by the action's id. */
    private record UserCreated(long userId, String email, long actionId) {}

    Users(DataSource dataSource, UnitOfWork unit, Topics topics) {
        this.dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        this.unit = unit.named("sign-up");
        this.topic = topics.users();
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

    /** The user in a row that has the columns of the table {@code users}. */
    static User user(Record row) {
        return new User(
                row.get("id", Long.class),
                row.get("email", String.class),
                row.get("name", String.class),
                row.get("created_at", OffsetDateTime.class).toInstant().toString());
    }
}
