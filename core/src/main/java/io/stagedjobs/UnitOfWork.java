package io.stagedjobs;

import io.stagedjobs.internal.Backoff;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import javax.sql.DataSource;
import org.jooq.Configuration;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Runs a block of statements as one logical unit in one database transaction: commits it only on full success, rolls it
 * back on any failure, and always gives the connection back.
 *
 * <pre>{@code
 * UnitOfWork unit = UnitOfWork.on(dataSource).isolation(Isolation.SERIALIZABLE).attemptsMax(5);
 * unit.run(work -> {
 *     work.dsl().execute("insert into users (email) values (?)", email);
 *     work.stage(StagedJob.builder("users", "user.created").key(email).json(user).build());
 * });
 * }</pre>
 *
 * <p><b>Retry</b>: a serialization failure (SQLSTATE 40001) or a deadlock (40P01), in the block or at COMMIT, rolls
 * back and runs the whole block again after a jittered pause, up to {@link #attemptsMax}; with {@link
 * #retryUniqueViolations}, so does a unique violation (23505). Besides writing to the database, a block must therefore
 * do nothing that must not happen twice. All other exceptions pass through at once, unchanged.
 *
 * <p><b>Slow work first</b>: call other services before the unit begins. Then the call holds no connection, a conflict
 * does not repeat it, and if it fails it leaves nothing behind. {@link #requireNoneOpen} guards such a call.
 *
 * <p><b>Staged jobs</b> are written in one statement just before COMMIT, in the order they were staged, without those
 * of a savepoint that was rolled back.
 *
 * <p><b>A unit inside a unit</b>, on the same thread and the same data source, joins it: it runs in a savepoint of the
 * outer transaction, with the outer unit's jOOQ configuration, and is stored if the outer one commits. If its block
 * throws, its part is rolled back and the outer block sees what was thrown. A conflict in it cannot be retried there;
 * it repeats the outer unit as a whole, unless the outer block catches it. An inner unit that asks for a stronger
 * isolation than the outer unit throws an {@link IllegalStateException}. Units of different data sources are
 * independent.
 *
 * <p><b>Threads</b>: immutable, thread-safe; each run uses one connection of the data source.
 */
public final class UnitOfWork {

    private static final int ATTEMPTS_MAX_DEFAULT = 5;
    private static final String NAME_DEFAULT = "unit";
    private static final Backoff BACKOFF = new Backoff(Duration.ofMillis(4), Duration.ofMillis(250));

    private final Configuration configuration;
    private final UnitOptions options;

    private UnitOfWork(Configuration configuration, UnitOptions options) {
        this.configuration = configuration;
        this.options = options;
    }

    /** Units on connections of {@code dataSource}, with the database's default isolation level. */
    public static UnitOfWork on(DataSource dataSource) {
        return on(DSL.using(dataSource, SQLDialect.POSTGRES).configuration());
    }

    /** Units on connections of an application's own jOOQ configuration, with its settings and listeners. */
    public static UnitOfWork on(Configuration configuration) {
        UnitOptions options =
                new UnitOptions(new StagedJobs(), null, ATTEMPTS_MAX_DEFAULT, false, NAME_DEFAULT, attempt -> {}, null);
        return new UnitOfWork(configuration, options);
    }

    /** Stages with {@code stagedJobs} instead of into the schema {@code public}. */
    public UnitOfWork staging(StagedJobs stagedJobs) {
        return with(options.withStagedJobs(stagedJobs));
    }

    public UnitOfWork isolation(Isolation isolation) {
        return with(options.withIsolation(isolation));
    }

    /**
     * @param attemptsMax the most runs of the block in all, at least 1; 1 means no retry, and
     *     {@value #ATTEMPTS_MAX_DEFAULT} is the default
     */
    public UnitOfWork attemptsMax(int attemptsMax) {
        if (attemptsMax < 1) {
            throw new IllegalArgumentException("attemptsMax must be at least 1, not " + attemptsMax);
        }
        return with(options.withAttemptsMax(attemptsMax));
    }

    /**
     * Retries unique violations (23505) too: right for "look up, else insert", where the loser of a race finds the row
     * in its next attempt; wrong where the violation is the answer.
     */
    public UnitOfWork retryUniqueViolations() {
        return with(options.withRetryUniqueViolations());
    }

    /** Names the unit for its listener; {@value #NAME_DEFAULT} by default. Meters need a small set of names. */
    public UnitOfWork named(String name) {
        return with(options.withName(name));
    }

    /** Reports each attempt to {@code listener}, instead of an earlier one. */
    public UnitOfWork listening(UnitListener listener) {
        return with(options.withListener(listener));
    }

    /** Wakes the enqueuers after each commit that staged jobs. */
    public UnitOfWork waking(WakeUp wakeUp) {
        return with(options.withWakeUp(wakeUp));
    }

    private UnitOfWork with(UnitOptions changed) {
        return new UnitOfWork(configuration, changed);
    }

    /**
     * Guards an action that must not happen inside a unit of work, such as a call of another service: the unit would
     * hold a transaction and a connection meanwhile, and a retry would repeat the call. Call this just before the
     * action.
     *
     * @throws IllegalStateException if a unit is open on this thread
     */
    public static void requireNoneOpen() {
        if (OpenUnit.anyOnThisThread()) {
            throw new IllegalStateException("cannot call another service inside a unit of work: its transaction would"
                    + " stay open and its connection be held meanwhile, and a retry would call again. Nothing was"
                    + " called. Call before the unit begins.");
        }
    }

    /** As {@link #call}, without a result. */
    public <E extends Exception> void run(Work.Block<E> block) throws E {
        this.<Boolean, E>call(work -> {
            block.run(work);
            return true;
        });
    }

    /**
     * Runs the block in a transaction of its own and commits it with its staged jobs; inside a unit, it joins that.
     *
     * @return the result of the block's successful run
     * @throws E the block's exception; everything was rolled back, and a failure of ROLLBACK is suppressed in it
     * @throws JobRefusedException if a staged job breaks a rule; everything was rolled back
     * @throws AttemptsExhaustedException if every attempt met a conflict; everything was rolled back
     * @throws CommitOutcomeUnknownException if the connection was lost during COMMIT, or if something other than
     *     PostgreSQL failed there
     */
    public <T extends @Nullable Object, E extends Exception> T call(Work.ResultBlock<T, E> block) throws E {
        OpenUnit outer = OpenUnit.onThisThread(OpenUnit.source(configuration));
        if (outer != null) {
            return join(outer, block);
        }
        List<Exception> conflicts = new ArrayList<>();
        long start = System.nanoTime();
        for (int number = 1; ; number++) {
            Attempt<T, E> attempt = new Attempt<>(configuration, options, block, number);
            try {
                return attempt.run();
            } catch (Exception failure) {
                switch (attempt.outcome(failure)) {
                    case RETRIED -> {
                        if (!pause(number)) {
                            throw exhausted(failure, conflicts, Duration.ofNanos(System.nanoTime() - start));
                        }
                        conflicts.add(failure);
                    }
                    case EXHAUSTED -> throw exhausted(failure, conflicts, Duration.ofNanos(System.nanoTime() - start));
                    case UNKNOWN -> throw unknown(failure);
                    default -> {
                        conflicts.forEach(failure::addSuppressed);
                        throw UnitOfWork.<E>asThrown(failure);
                    }
                }
            }
        }
    }

    /** Runs the block as a part of a unit that is open on this thread. */
    private <T extends @Nullable Object, E extends Exception> T join(OpenUnit outer, Work.ResultBlock<T, E> block)
            throws E {
        outer.requireIsolation(options.isolation());
        outer.waking(options.wakeUp());
        try {
            return Attempt.inTransaction(
                    outer.dsl().configuration(),
                    savepoint -> block.run(new Work(outer, savepoint.dsl(), options.stagedJobs())));
        } catch (Exception failure) {
            if (SqlStates.isConflict(failure, options.retryUniqueViolations())) {
                outer.conflict(failure);
            }
            throw UnitOfWork.<E>asThrown(failure);
        }
    }

    /** @return false if the thread was interrupted: its flag is set again and no further attempt follows */
    private static boolean pause(int failures) {
        try {
            Thread.sleep(BACKOFF.after(failures, ThreadLocalRandom.current()).toMillis());
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static AttemptsExhaustedException exhausted(Exception last, List<Exception> earlier, Duration elapsed) {
        int attempts = earlier.size() + 1;
        AttemptsExhaustedException exhausted = new AttemptsExhaustedException(
                "could not commit the unit of work in " + attempts + " attempt(s) within " + elapsed.toMillis()
                        + " ms: each met a conflict with another transaction (the last one SQLSTATE "
                        + SqlStates.of(last)
                        + "). Everything was rolled back, nothing was staged. Try again later; if this repeats,"
                        + " make the transaction shorter or raise attemptsMax.",
                attempts,
                last);
        earlier.forEach(exhausted::addSuppressed);
        return exhausted;
    }

    private static CommitOutcomeUnknownException unknown(Exception failure) {
        String state = SqlStates.of(failure);
        return new CommitOutcomeUnknownException(
                state != null
                        ? "the connection was lost during COMMIT (SQLSTATE " + state + ")"
                        : "what failed around COMMIT is no answer of PostgreSQL (" + failure + ")",
                failure);
    }

    /** Rethrows the exception of the block or of jOOQ: it can only be an E, or unchecked. */
    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <E extends Exception> E asThrown(Exception failure) throws E {
        throw (E) failure;
    }
}
