package io.stagedjobs;

import io.stagedjobs.UnitListener.Outcome;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.jooq.Configuration;
import org.jooq.TransactionalCallable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One run of a unit's block in a transaction of its own. */
final class Attempt<T extends @Nullable Object, E extends Exception> {

    private static final Logger log = LoggerFactory.getLogger(Attempt.class);

    private final Configuration configuration;
    private final UnitOptions options;
    private final Work.ResultBlock<T, E> block;
    private final int number;
    private final long start = System.nanoTime();
    private boolean committing;
    private @Nullable OpenUnit unit;

    /** @param number which attempt of the unit this is, from 1 */
    Attempt(Configuration configuration, UnitOptions options, Work.ResultBlock<T, E> block, int number) {
        this.configuration = configuration;
        this.options = options;
        this.block = block;
        this.number = number;
    }

    /** Runs the block and commits. A failure rolls everything back, or leaves the outcome {@link Outcome#UNKNOWN}. */
    T run() throws Exception {
        T result;
        try {
            result = inTransaction(configuration, this::runBlock);
        } catch (Throwable failure) {
            report(outcome(failure), 0, failure);
            throw failure;
        }
        int jobs = unit == null ? 0 : unit.jobs();
        report(Outcome.COMMITTED, jobs, null);
        if (unit != null && jobs > 0) {
            unit.wakeUps().forEach(WakeUp::committed);
        }
        return result;
    }

    private T runBlock(Configuration transaction) throws E {
        Isolation isolation = options.isolation();
        if (isolation != null) {
            transaction.dsl().execute("SET TRANSACTION ISOLATION LEVEL " + isolation.sql());
        }
        try (OpenUnit opened = new OpenUnit(configuration, transaction, isolation, number)) {
            unit = opened;
            opened.waking(options.wakeUp());
            T result = block.run(new Work(opened, opened.dsl(), options.stagedJobs()));
            opened.writeJobs();
            committing = true;
            return result;
        }
    }

    /** The outcome of this attempt after such a failure. */
    Outcome outcome(Throwable failure) {
        if (failure instanceof Error) {
            return Outcome.FAILED;
        }
        if (committing && SqlStates.leavesCommitOpen(failure)) {
            return Outcome.UNKNOWN;
        }
        if (SqlStates.isConflict(failure, options.retryUniqueViolations())
                || (unit != null && unit.isConflict(failure))) {
            return number == options.attemptsMax() ? Outcome.EXHAUSTED : Outcome.RETRIED;
        }
        return Outcome.FAILED;
    }

    private void report(Outcome outcome, int jobs, @Nullable Throwable failure) {
        Duration duration = Duration.ofNanos(System.nanoTime() - start);
        try {
            options.listener()
                    .attempted(new UnitListener.Attempt(options.name(), number, outcome, jobs, duration, failure));
        } catch (RuntimeException | LinkageError e) {
            log.warn(
                    "The listener of unit \"{}\" failed; attempt {} is {} nevertheless.",
                    options.name(),
                    number,
                    outcome,
                    e);
        }
    }

    /**
     * Runs statements in a jOOQ transaction. Rethrows their exceptions unchanged, while jOOQ would wrap checked ones.
     */
    static <T extends @Nullable Object> T inTransaction(
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
}
