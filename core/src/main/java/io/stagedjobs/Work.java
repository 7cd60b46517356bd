package io.stagedjobs;

import java.sql.Connection;
import java.util.UUID;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * What a block of a {@link UnitOfWork} works with: the open transaction and the jobs it stages. It belongs to one
 * attempt and to the thread that runs it. After the block has returned nothing of it can be used: that is refused with
 * an {@link IllegalStateException}.
 *
 * <p><b>Savepoints</b>: a nested {@code dsl().transaction(…)} is a savepoint, and so is a unit inside the unit. A job
 * staged inside one that rolls back is not published. The same holds for savepoints that are set by {@link
 * Connection#setSavepoint()}; not for those set by sending SQL text through JDBC, which are not seen: there, {@link
 * StagedJobs} writes the job at once.
 *
 * <p><b>The transaction's end</b> is the unit's: COMMIT, ROLLBACK, SAVEPOINT and their like are refused when they are
 * sent through jOOQ, and so are {@code commit()}, {@code rollback()}, {@code close()} and {@code setAutoCommit(true)}
 * of the connection. Do not send them as text through JDBC: nobody would see it.
 */
public final class Work {

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
     * Keeps a job to be written just before COMMIT, with the trace that is current now; returns its id.
     *
     * @throws IllegalStateException if the block has returned, or runs on another thread: the job would be lost
     */
    public UUID stage(StagedJob job) {
        unit.stage(stagedJobs, job);
        return job.id();
    }

    /** Which attempt of the unit this is, from 1; in a unit that joined another, which one of that. */
    public int attempt() {
        return unit.attempt();
    }
}
