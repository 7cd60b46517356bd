package io.stagedjobs;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jooq.ConnectionCallable;
import org.jooq.ConnectionRunnable;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * What a block of a {@link UnitOfWork} works with: the open transaction and the jobs it stages. It belongs to one attempt
 * and to the thread that runs it; nothing of it may be used after the block returned.
 */
public final class Work {

    private final DSLContext dsl;
    private final int attempt;
    private final List<StagedJob> staged = new ArrayList<>();

    Work(DSLContext dsl, int attempt) {
        this.dsl = dsl;
        this.attempt = attempt;
    }

    /** jOOQ on the unit's transaction. A nested {@code transaction(…)} of it is a savepoint. */
    public DSLContext dsl() {
        return dsl;
    }

    /** Runs plain JDBC on the unit's connection; the unit commits, so the code given must not. */
    public void jdbc(ConnectionRunnable statements) {
        dsl.connection(statements);
    }

    /** As {@link #jdbc}, with a result. */
    public <T extends @Nullable Object> T jdbcResult(ConnectionCallable<T> statements) {
        return dsl.connectionResult(statements);
    }

    /** Keeps a job to be written just before COMMIT; returns its id. */
    public UUID stage(StagedJob job) {
        staged.add(job);
        return job.id();
    }

    /** Which attempt this is, from 1. */
    public int attempt() {
        return attempt;
    }

    List<StagedJob> staged() {
        return staged;
    }
}
