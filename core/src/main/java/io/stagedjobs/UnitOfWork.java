package io.stagedjobs;

import io.stagedjobs.internal.Backoff;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import javax.sql.DataSource;
import org.jooq.Configuration;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

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
 * writing to the database. Everything else passes through at once, as it was thrown.
 *
 * <p><b>Staged jobs</b> are written in one statement just before COMMIT, in the order they were staged.
 *
 * <p><b>Threads</b>: immutable, safe for use by many threads; each run uses one connection of the data source.
 */
public final class UnitOfWork {

    /** How many attempts a unit gets unless {@link #attemptsMax} says otherwise. */
    public static final int ATTEMPTS_MAX_DEFAULT = 5;

    private static final Set<String> CONFLICTS = Set.of("40001", "40P01");
    private static final String UNIQUE_VIOLATION = "23505";
    private static final Backoff BACKOFF = new Backoff(Duration.ofMillis(4), Duration.ofMillis(250));

    private final Configuration configuration;
    private final Options options;

    private record Options(
            StagedJobs stagedJobs,
            @Nullable Isolation isolation,
            int attemptsMax,
            boolean retryUniqueViolations,
            @Nullable WakeUp wakeUp) {}

    /** The transaction isolation levels of PostgreSQL, chapter "Transaction Isolation". */
    public enum Isolation {
        READ_COMMITTED("READ COMMITTED"),
        REPEATABLE_READ("REPEATABLE READ"),
        SERIALIZABLE("SERIALIZABLE");

        private final String sql;

        Isolation(String sql) {
            this.sql = sql;
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
        return new UnitOfWork(configuration, new Options(new StagedJobs(), null, ATTEMPTS_MAX_DEFAULT, false, null));
    }

    /** Stages with {@code stagedJobs} instead of into the schema {@code public}. */
    public UnitOfWork staging(StagedJobs stagedJobs) {
        return with(new Options(
                stagedJobs, options.isolation, options.attemptsMax, options.retryUniqueViolations, options.wakeUp));
    }

    public UnitOfWork isolation(Isolation isolation) {
        return with(new Options(
                options.stagedJobs, isolation, options.attemptsMax, options.retryUniqueViolations, options.wakeUp));
    }

    /** @param attemptsMax how often the block may run in all, at least 1; 1 means no retry */
    public UnitOfWork attemptsMax(int attemptsMax) {
        if (attemptsMax < 1) {
            throw new IllegalArgumentException("attemptsMax must be at least 1, not " + attemptsMax);
        }
        return with(new Options(
                options.stagedJobs, options.isolation, attemptsMax, options.retryUniqueViolations, options.wakeUp));
    }

    /**
     * Retries unique violations (23505) too: right for "look up, else insert", where the loser of a race finds the row
     * in its next attempt; wrong where the violation is the answer.
     */
    public UnitOfWork retryUniqueViolations() {
        return with(new Options(options.stagedJobs, options.isolation, options.attemptsMax, true, options.wakeUp));
    }

    /** Wakes the enqueuers after each commit that staged jobs. */
    public UnitOfWork waking(WakeUp wakeUp) {
        return with(new Options(
                options.stagedJobs, options.isolation, options.attemptsMax, options.retryUniqueViolations, wakeUp));
    }

    private UnitOfWork with(Options changed) {
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
     * Runs the block in a transaction of its own and commits it, its staged jobs included.
     *
     * @return what the block's successful run returned
     * @throws E what the block threw; everything was rolled back, and a failing ROLLBACK is suppressed in it
     * @throws JobRefusedException if a staged job breaks a rule; everything was rolled back
     * @throws AttemptsExhaustedException if every attempt met a conflict; everything was rolled back
     * @throws CommitOutcomeUnknownException if the connection was lost during COMMIT
     */
    public <T extends @Nullable Object, E extends Exception> T call(ResultBlock<T, E> block) throws E {
        List<Throwable> conflicts = new ArrayList<>();
        long start = System.nanoTime();
        while (true) {
            Attempt<T, E> attempt = new Attempt<>(block, conflicts.size() + 1);
            try {
                T result = attempt.run();
                if (options.wakeUp != null && attempt.stagedAny) {
                    options.wakeUp.committed();
                }
                return result;
            } catch (Exception failure) {
                String state = sqlState(failure);
                if (attempt.committing && outcomeUnknown(state)) {
                    throw new CommitOutcomeUnknownException(failure);
                }
                if (!isConflict(state)) {
                    conflicts.forEach(failure::addSuppressed);
                    throw UnitOfWork.<E>asThrown(failure);
                }
                if (conflicts.size() + 1 == options.attemptsMax || !pause(conflicts.size() + 1)) {
                    throw exhausted(failure, conflicts, Duration.ofNanos(System.nanoTime() - start));
                }
                conflicts.add(failure);
            }
        }
    }

    /** One run of the block in one transaction. */
    private final class Attempt<T extends @Nullable Object, E extends Exception> {
        private final ResultBlock<T, E> block;
        private final int number;
        private boolean committing;
        private boolean stagedAny;
        private @Nullable Exception thrown;

        Attempt(ResultBlock<T, E> block, int number) {
            this.block = block;
            this.number = number;
        }

        T run() throws Exception {
            try {
                return configuration.dsl().transactionResult(transaction -> {
                    try {
                        return runBlock(transaction.dsl());
                    } catch (Exception e) {
                        thrown = e; // jOOQ wraps checked exceptions; the caller is to see its own
                        throw e;
                    }
                });
            } catch (RuntimeException e) {
                if (thrown != null && thrown != e) {
                    for (Throwable rollbackFailure : e.getSuppressed()) {
                        thrown.addSuppressed(rollbackFailure);
                    }
                    throw thrown;
                }
                throw e;
            }
        }

        private T runBlock(DSLContext dsl) throws E {
            if (options.isolation != null) {
                dsl.execute("SET TRANSACTION ISOLATION LEVEL " + options.isolation.sql);
            }
            Work work = new Work(dsl, number);
            T result = block.run(work);
            if (work.staged().isEmpty()) {
                // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and the driver says nothing: a block
                // that
                // swallowed an SQL error would seem to have succeeded. Any statement tells; staging is one.
                dsl.execute("SELECT 1");
            }
            options.stagedJobs.stage(dsl, work.staged());
            stagedAny = !work.staged().isEmpty();
            committing = true;
            return result;
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
