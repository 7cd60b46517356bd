package io.stagedjobs.sample;

import static io.stagedjobs.sample.Tables.*;
import static org.jooq.Records.mapping;

import io.javalin.http.InternalServerErrorResponse;
import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import java.util.Optional;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * The users in PostgreSQL, each stored together with a row in {@code user_actions} and a job.
 *
 * <p><b>Transactions</b>: every method runs one of its own; signing up joins the unit of work that is open on the
 * thread, if there is one. <b>Threads</b>: thread-safe. <b>Failure</b>: the exceptions of {@link UnitOfWork#call} and
 * jOOQ; then nothing was stored, unless the exception says otherwise.
 */
final class Users {

    private final DSLContext dsl;
    private final UnitOfWork unit;
    private final StagedJobs stagedJobs = new StagedJobs();
    private final String topic;

    /** The payload of {@code user.created}; the action's id lets an audit pair records with rows. */
    private record UserCreated(long userId, String email, long actionId) {}

    Users(DataSource dataSource, UnitOfWork unit, Topics topics) {
        this.dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        this.unit = unit.named("sign-up");
        this.topic = topics.users();
    }

    /**
     * Returns the user with this address. If there is none, creates one, with the audit row and the job {@code
     * user.created}. Of several concurrent calls for one address, one creates the user and the others return it.
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
     * As {@link #signUp}, but fails after everything is written and before it is committed, to show that even this
     * failure leaves nothing behind.
     *
     * @throws InternalServerErrorResponse always
     */
    void signUpAndFail(String email) {
        unit.run(work -> {
            if (find(work.dsl(), email).isEmpty()) {
                User user = insert(work.dsl(), email);
                // Work.stage would write the job only after this block; here it must be in the table before the
                // failure.
                stagedJobs.stage(work.dsl(), userCreated(work, user));
            }
            throw new InternalServerErrorResponse("Failed after staging, as " + Api.FAIL_HEADER
                    + " asked. Nothing was kept: no user, no action, no job.");
        });
    }

    /** The user with this address, if there is one. */
    Optional<User> find(String email) {
        return find(dsl, email);
    }

    /** Returns if the database answers. */
    void ping() {
        dsl.selectOne().execute();
    }

    private static Optional<User> find(DSLContext dsl, String email) {
        return dsl.select(USER_ID, USER_EMAIL, USER_NAME, USER_CREATED_AT)
                .from(USERS)
                .where(USER_EMAIL.eq(email))
                .fetchOptional(mapping(User::of));
    }

    private static User insert(DSLContext dsl, String email) {
        return dsl.insertInto(USERS, USER_EMAIL)
                .values(email)
                .returningResult(USER_ID, USER_EMAIL, USER_NAME, USER_CREATED_AT)
                .fetchSingle(mapping(User::of));
    }

    /** Writes the audit row and makes its job. */
    private StagedJob userCreated(Work work, User user) {
        long actionId = work.dsl()
                .insertInto(ACTIONS, ACTION_USER, ACTION_NAME)
                .values(user.id(), "created")
                .returningResult(ACTION_ID)
                .fetchSingle()
                .value1();
        return StagedJob.builder(topic, "user.created")
                .key(Long.toString(user.id()))
                .json(new UserCreated(user.id(), user.email(), actionId))
                .build();
    }
}
