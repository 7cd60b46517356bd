package io.stagedjobs;

import io.stagedjobs.UnitListener.Outcome;
import io.stagedjobs.internal.Backoff;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import javax.sql.DataSource;
import org.jooq.Configuration;
import org.jooq.SQLDialect;
import org.jooq.TransactionalCallable;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a block of statements as one logical unit in one database transaction: committed on full success only, rolled back
 * on any failure, the connection always given back.
 *
 * <pre>{@code
 * UnitOfWork unit = UnitOfWork.on(dataSource).isolation(Isolation.SERIALIZABLE).attemptsMax(5);
 * unit.run(work -> {
 *     work.dsl().execute("insert into users (email) values (?)", email);
 *     work.stage(StagedJob.builder("users", "user.created").key(email).json(user).build());
 * });
 * }</pre>
 *
 * <p><b>Retry</b>: a serialization failure (SQLSTATE 40001) or a deadlock (40P01), in the block or at COMMIT, rolls back
 * and runs the whole block again after a jittered pause, up to {@link #attemptsMax}; a unique violation (23505) too if
 * {@link #retryUniqueViolations} was asked for. A block therefore does nothing that must not happen twice, besides
 * writing to the database; what is expensive or must happen once is done before, by {@link #fetch}. Everything else passes
 * through at once, as it was thrown.
 *
 * <p><b>Staged jobs</b> are written in one statement just before COMMIT, in the order they were staged, without those of a
 * savepoint that was rolled back.
 *
 * <p><b>A unit inside a unit</b>, on the same thread and the same data source, joins it: it runs in a savepoint of the
 * outer transaction, with the outer unit's jOOQ configuration, and is stored if the outer one commits. If its block throws,
 * its part is rolled back and the outer block sees what was thrown. A conflict in it cannot be retried there; it repeats the
 * outer unit as a whole, unless the outer block catches it. One that asks for a stronger isolation than the outer unit did is refused with an
 * {@link IllegalStateException}. Units of different data sources have nothing to do with each other.
 *
 * <p><b>Threads</b>: immutable, safe for use by many threads; each run uses one connection of the data source.
 */
public final class UnitOfWork {

    /** How many attempts a unit gets unless {@link #attemptsMax} says otherwise. */
    public static final int ATTEMPTS_MAX_DEFAULT = 5;

    /** What a unit is called unless {@link #named} says otherwise. */
    public static final String NAME_DEFAULT = "unit";

    private static final Logger log = LoggerFactory.getLogger(UnitOfWork.class);
    private static final Set<String> CONFLICTS = Set.of("40001", "40P01");
    private static final String UNIQUE_VIOLATION = "23505";
    private static final Backoff BACKOFF = new Backoff(Duration.ofMillis(4), Duration.ofMillis(250));

    private final Configuration configuration;
    private final Options options;

    /** Changed only between {@link #copy} and the unit that gets it. */
    private static final class Options implements Cloneable {
        private StagedJobs stagedJobs = new StagedJobs();
        private @Nullable Isolation isolation;
        private int attemptsMax = ATTEMPTS_MAX_DEFAULT;
        private boolean retryUniqueViolations;
        private String name = NAME_DEFAULT;
        private UnitListener listener = attempt -> {};
        private @Nullable WakeUp wakeUp;

        private Options copy() {
            try {
                return (Options) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /** The transaction isolation levels of PostgreSQL, chapter "Transaction Isolation". */
    public enum Isolation {
        READ_COMMITTED("READ COMMITTED"),
        REPEATABLE_READ("REPEATABLE READ"),
        SERIALIZABLE("SERIALIZABLE");

        private final String sql;

        Isolation(String sql) {
            this.sql = sql;
        }

        String sql() {
            return sql;
        }
    }

    /** The statements of a unit; run again from its start when a conflict is retried. */
    @FunctionalInterface
    public interface Block<E extends Exception> {
        void run(Work work) throws E;
    }

    /** As {@link Block}, with a result. */
    @FunctionalInterface
    public interface ResultBlock<T extends @Nullable Object, E extends Exception> {
        T run(Work work) throws E;
    }

    /** Something expensive outside the database, such as a call of another service; run once. */
    @FunctionalInterface
    public interface Fetch<F extends @Nullable Object, E extends Exception> {
        F fetch() throws E;
    }

    private UnitOfWork(Configuration configuration, Options options) {
        this.configuration = configuration;
        this.options = options;
    }

    /** Units on connections of {@code dataSource}, with the database's default isolation level. */
    public static UnitOfWork on(DataSource dataSource) {
        return on(DSL.using(dataSource, SQLDialect.POSTGRES).configuration());
    }

    /** Units on connections of an application's own jOOQ configuration, with its settings and listeners. */
    public static UnitOfWork on(Configuration configuration) {
        return new UnitOfWork(configuration, new Options());
    }

    /** Stages with {@code stagedJobs} instead of into the schema {@code public}. */
    public UnitOfWork staging(StagedJobs stagedJobs) {
        return with(changed -> changed.stagedJobs = stagedJobs);
    }

    public UnitOfWork isolation(Isolation isolation) {
        return with(changed -> changed.isolation = isolation);
    }

    /** @param attemptsMax how often the block may run in all, at least 1; 1 means no retry */
    public UnitOfWork attemptsMax(int attemptsMax) {
        if (attemptsMax < 1) {
            throw new IllegalArgumentException("attemptsMax must be at least 1, not " + attemptsMax);
        }
        return with(changed -> changed.attemptsMax = attemptsMax);
    }

    /**
     * Retries unique violations (23505) too: right for "look up, else insert", where the loser of a race finds the row
     * in its next attempt; wrong where the violation is the answer.
     */
    public UnitOfWork retryUniqueViolations() {
        return with(changed -> changed.retryUniqueViolations = true);
    }

    /** Names the unit for its listener; {@value #NAME_DEFAULT} unless this is called. Meters want few different names. */
    public UnitOfWork named(String name) {
        return with(changed -> changed.name = name);
    }

    /** Tells {@code listener} of each attempt, instead of the one named before. */
    public UnitOfWork listening(UnitListener listener) {
        return with(changed -> changed.listener = listener);
    }

    /** Wakes the enqueuers after each commit that staged jobs. */
    public UnitOfWork waking(WakeUp wakeUp) {
        return with(changed -> changed.wakeUp = wakeUp);
    }

    private UnitOfWork with(Consumer<Options> change) {
        Options changed = options.copy();
        change.accept(changed);
        return new UnitOfWork(configuration, changed);
    }

    /** As {@link #call}, without a result. */
    public <E extends Exception> void run(Block<E> block) throws E {
        this.<Boolean, E>call(work -> {
            block.run(work);
            return true;
        });
    }

    /**
     * Does the expensive part first: runs {@code fetch} at once, in the calling thread, while no connection is held and no
     * transaction is open. {@link Fetched#commit} then runs the cheap part as this unit, and a conflict there repeats that
     * part only.
     *
     * @throws E what the fetch threw; nothing was stored
     * @throws IllegalStateException if a unit is open on this thread: it would hold its connection meanwhile
     */
    public <F extends @Nullable Object, E extends Exception> Fetched<F> fetch(Fetch<F, E> fetch) throws E {
        if (OpenUnit.anyOnThisThread()) {
            throw new IllegalStateException(
                    "cannot fetch inside a unit of work: its transaction would stay open and its"
                            + " connection be held while somebody else is waited for, and a retry would fetch again. Nothing was"
                            + " fetched. Fetch before the unit begins.");
        }
        return new Fetched<>(this, fetch.fetch());
    }

    /**
     * Runs the block in a transaction of its own and commits it, its staged jobs included; inside a unit, as a part of that.
     *
     * @return what the block's successful run returned
     * @throws E what the block threw; everything was rolled back, and a failing ROLLBACK is suppressed in it
     * @throws JobRefusedException if a staged job breaks a rule; everything was rolled back
     * @throws AttemptsExhaustedException if every attempt met a conflict; everything was rolled back
     * @throws CommitOutcomeUnknownException if the connection was lost during COMMIT, or if something else than PostgreSQL
     *     failed there
     */
    public <T extends @Nullable Object, E extends Exception> T call(ResultBlock<T, E> block) throws E {
        OpenUnit outer = OpenUnit.onThisThread(OpenUnit.source(configuration));
        if (outer != null) {
            return join(outer, block);
        }
        List<Throwable> conflicts = new ArrayList<>();
        long start = System.nanoTime();
        while (true) {
            Attempt<T, E> attempt = new Attempt<>(block, conflicts.size() + 1);
            T result;
            try {
                result = attempt.run();
            } catch (Error failure) {
                attempt.ended(Outcome.FAILED, failure);
                throw failure;
            } catch (Exception failure) {
                String state = sqlState(failure);
                if (attempt.committing && outcomeUnknown(state)) {
                    attempt.ended(Outcome.UNKNOWN, failure);
                    throw new CommitOutcomeUnknownException(
                            state != null
                                    ? "the connection was lost during COMMIT (SQLSTATE " + state + ")"
                                    : "what failed around COMMIT is no answer of PostgreSQL (" + failure + ")",
                            failure);
                }
                if (!isConflict(state) && !attempt.isConflict(failure)) {
                    attempt.ended(Outcome.FAILED, failure);
                    conflicts.forEach(failure::addSuppressed);
                    throw UnitOfWork.<E>asThrown(failure);
                }
                boolean last = conflicts.size() + 1 == options.attemptsMax;
                attempt.ended(last ? Outcome.EXHAUSTED : Outcome.RETRIED, failure);
                if (last || !pause(conflicts.size() + 1)) {
                    throw exhausted(failure, conflicts, Duration.ofNanos(System.nanoTime() - start));
                }
                conflicts.add(failure);
                continue;
            }
            attempt.ended(Outcome.COMMITTED, null);
            attempt.wake();
            return result;
        }
    }

    /** Runs the block as a part of a unit that is open on this thread. */
    private <T extends @Nullable Object, E extends Exception> T join(OpenUnit outer, ResultBlock<T, E> block) throws E {
        outer.requireIsolation(options.isolation);
        outer.waking(options.wakeUp);
        try {
            return inTransaction(
                    outer.dsl().configuration(),
                    savepoint -> block.run(new Work(outer, savepoint.dsl(), options.stagedJobs)));
        } catch (Exception failure) {
            if (isConflict(sqlState(failure))) {
                outer.conflict(failure);
            }
            throw UnitOfWork.<E>asThrown(failure);
        }
    }

    /** One run of the block in one transaction. */
    private final class Attempt<T extends @Nullable Object, E extends Exception> {
        private final ResultBlock<T, E> block;
        private final int number;
        private final long start = System.nanoTime();
        private boolean committing;
        private @Nullable OpenUnit unit;

        Attempt(ResultBlock<T, E> block, int number) {
            this.block = block;
            this.number = number;
        }

        T run() throws Exception {
            return inTransaction(configuration, this::runBlock);
        }

        private T runBlock(Configuration transaction) throws E {
            if (options.isolation != null) {
                transaction.dsl().execute("SET TRANSACTION ISOLATION LEVEL " + options.isolation.sql);
            }
            try (OpenUnit opened = new OpenUnit(configuration, transaction, options.isolation, number)) {
                unit = opened;
                opened.waking(options.wakeUp);
                T result = block.run(new Work(opened, opened.dsl(), options.stagedJobs));
                opened.writeJobs();
                committing = true;
                return result;
            }
        }

        void ended(Outcome outcome, @Nullable Throwable failure) {
            int jobs = outcome == Outcome.COMMITTED && unit != null ? unit.jobs() : 0;
            Duration duration = Duration.ofNanos(System.nanoTime() - start);
            try {
                options.listener.attempted(
                        new UnitListener.Attempt(options.name, number, outcome, jobs, duration, failure));
            } catch (RuntimeException | LinkageError e) {
                log.warn(
                        "The listener of unit \"{}\" failed; attempt {} is {} all the same.",
                        options.name,
                        number,
                        outcome,
                        e);
            }
        }

        void wake() {
            if (unit != null && unit.jobs() > 0) {
                unit.wakeUps().forEach(WakeUp::committed);
            }
        }

        boolean isConflict(Exception failure) {
            return unit != null && unit.isConflict(failure);
        }
    }

    /** Statements in a transaction of jOOQ; what they throw is thrown as it is, while jOOQ wraps checked exceptions. */
    private static <T extends @Nullable Object> T inTransaction(
            Configuration configuration, TransactionalCallable<T> statements) throws Exception {
        AtomicReference<@Nullable Exception> thrown = new AtomicReference<>();
        try {
            return configuration.dsl().transactionResult(transaction -> {
                try {
                    return statements.run(transaction);
                } catch (Exception e) {
                    thrown.set(e);
                    throw e;
                }
            });
        } catch (RuntimeException e) {
            Exception own = thrown.get();
            if (own == null || own == e) {
                throw e;
            }
            for (Throwable rollbackFailure : e.getSuppressed()) {
                own.addSuppressed(rollbackFailure);
            }
            throw own;
        }
    }

    private boolean isConflict(@Nullable String state) {
        return state != null
                && (CONFLICTS.contains(state) || (options.retryUniqueViolations && state.equals(UNIQUE_VIOLATION)));
    }

    /** Connection exceptions (class 08), a server that shuts down (57P0x), or no answer that PostgreSQL gave at all. */
    private static boolean outcomeUnknown(@Nullable String state) {
        return state == null || state.startsWith("08") || state.startsWith("57P0");
    }

    private static @Nullable String sqlState(Throwable failure) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (t instanceof AttemptsExhaustedException || t instanceof CommitOutcomeUnknownException) {
                return null; // of a unit on another data source, which has decided already
            }
            if (t instanceof SQLException sql && sql.getSQLState() != null) {
                return sql.getSQLState();
            }
        }
        return null;
    }

    /** @return false if the thread was interrupted: its flag is set again and there is no further attempt */
    private static boolean pause(int failures) {
        try {
            Thread.sleep(BACKOFF.after(failures, ThreadLocalRandom.current()).toMillis());
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static AttemptsExhaustedException exhausted(Throwable last, List<Throwable> earlier, Duration elapsed) {
        int attempts = earlier.size() + 1;
        AttemptsExhaustedException exhausted = new AttemptsExhaustedException(
                "could not commit the unit of work in " + attempts + " attempt(s) within " + elapsed.toMillis()
                        + " ms: each met a conflict with another transaction (the last one SQLSTATE " + sqlState(last)
                        + "). Everything was rolled back, nothing was staged. Try again later; if this repeats, make the"
                        + " transaction shorter or raise attemptsMax.",
                attempts,
                last);
        earlier.forEach(exhausted::addSuppressed);
        return exhausted;
    }

    /** Rethrows what the block or jOOQ threw: an E, or unchecked; there is nothing else it can be. */
    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <E extends Exception> E asThrown(Exception failure) throws E {
        throw (E) failure;
    }
}
