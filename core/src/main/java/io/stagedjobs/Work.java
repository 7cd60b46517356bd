package io.stagedjobs;

import java.sql.Connection;
import java.util.UUID;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * Gives a block of a {@link UnitOfWork} the open transaction, and stages its jobs. It belongs to one attempt and to the
 * thread that runs it. After the block has returned, every use throws an {@link IllegalStateException}.
 *
 * <p><b>Savepoints</b>: a nested {@code dsl().transaction(…)} is a savepoint, and so is a unit inside the unit. A job
 * staged inside one that rolls back is not published. The same holds for savepoints set by {@link
 * Connection#setSavepoint()}, but not for those set by SQL text through JDBC, which the unit does not see: with those,
 * use {@link StagedJobs}, which writes the job at once.
 *
 * <p><b>Only the unit ends its transaction</b>: it refuses COMMIT, ROLLBACK, SAVEPOINT and their like sent through
 * jOOQ, and {@code commit()}, {@code rollback()}, {@code close()} and {@code setAutoCommit(true)} of the connection. Do
 * not send them as text through JDBC: the unit would not see them.
 */
public final class Work {

    /** The statements of a unit; a retry after a conflict runs them again from the start. */
    @FunctionalInterface
    public interface Block<E extends Exception> {
        void run(Work work) throws E;
    }

    /** As {@link Block}, with a result. */
    @FunctionalInterface
    public interface ResultBlock<T extends @Nullable Object, E extends Exception> {
        T run(Work work) throws E;
    }

    private final OpenUnit unit;
    private final DSLContext dsl;
    private final StagedJobs stagedJobs;

    Work(OpenUnit unit, DSLContext dsl, StagedJobs stagedJobs) {
        this.unit = unit;
        this.dsl = dsl;
        this.stagedJobs = stagedJobs;
    }

    /** jOOQ on the unit's transaction. A nested {@code transaction(…)} of it is a savepoint. */
    public DSLContext dsl() {
        return dsl;
    }

    /**
     * The unit's connection, for plain JDBC. The unit ends its transaction and gives it back: {@code commit()}, {@code
     * close()} and their like are refused.
     */
    public Connection connection() {
        return unit.connection();
    }

    /**
     * Keeps a job to be written just before COMMIT, with the current trace; returns its id.
     *
     * @throws IllegalStateException if the block has returned, or runs on another thread: the job would be lost
     */
    public UUID stage(StagedJob job) {
        unit.stage(stagedJobs, job);
        return job.id();
    }

    /** The number of this attempt of the unit, from 1; in a unit that joined another, the attempt of that one. */
    public int attempt() {
        return unit.attempt();
    }
}
