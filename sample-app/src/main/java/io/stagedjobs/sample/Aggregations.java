package io.stagedjobs.sample;

import io.stagedjobs.StagedJob;
import io.stagedjobs.UnitOfWork;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Aggregates lists of contracts in the background, one unit of work each: a failure does not affect the others.
 *
 * <p>The work itself is staged. A list becomes one job {@code contract.aggregation-requested} for each contract, in one
 * transaction; {@link #run} does one of them. If that fails, it stages a job {@code contract.aggregation-failed} for a
 * later try, and after {@value #TRIES_MAX} tries {@code contract.aggregation-given-up}, for a person. So neither a
 * crash nor an outage forgets a contract.
 *
 * <p><b>Threads</b>: thread-safe.
 */
final class Aggregations {

    static final int TRIES_MAX = 5;

    private static final Logger LOG = LoggerFactory.getLogger(Aggregations.class);

    private final Contracts contracts;
    private final UnitOfWork requesting;
    private final UnitOfWork postponing;
    private final Topics topics;

    /**
     * The payload of the three jobs.
     *
     * @param triesFailed the number of failed attempts
     * @param reason of the last failure; null before the first
     */
    record Aggregation(
            String contractId, int triesFailed, @Nullable String reason) {

        static Aggregation of(String contractId) {
            return new Aggregation(contractId, 0, null);
        }

        Aggregation failed(@Nullable String why) {
            return new Aggregation(contractId, triesFailed + 1, why);
        }
    }

    Aggregations(Contracts contracts, UnitOfWork unit, Topics topics) {
        this.contracts = contracts;
        this.requesting = unit.named("request-aggregations");
        this.postponing = unit.named("postpone-aggregation");
        this.topics = topics;
    }

    /** Stages a job for each of the contracts, all or none. */
    void request(Set<String> contractIds) {
        requesting.run(work -> contractIds.stream()
                .map(id -> job(topics.aggregations(), "contract.aggregation-requested", Aggregation.of(id)))
                .forEach(work::stage));
    }

    /**
     * Aggregates the contract that a job of one of our topics names, or stages it for later. Running a job again is
     * harmless.
     *
     * @throws RuntimeException if it could do neither, because the database is down: run the job again
     */
    void run(PublishedJob job) {
        @Nullable Aggregation due = job.payload(Aggregation.class);
        if (due == null || !Checks.isId(due.contractId())) {
            LOG.warn("The job at {} is no aggregation of a contract. It is left out.", job.position());
            return;
        }
        try {
            contracts.aggregate(due.contractId());
        } catch (RuntimeException e) {
            LOG.info("Contract {} could not be aggregated: {}", due.contractId(), e.getMessage());
            Aggregation failed = due.failed(e.getMessage());
            postponing.run(work -> work.stage(next(failed)));
        }
    }

    private StagedJob next(Aggregation failed) {
        return failed.triesFailed() < TRIES_MAX
                ? job(topics.retries(), "contract.aggregation-failed", failed)
                : job(topics.contracts(), "contract.aggregation-given-up", failed);
    }

    private static StagedJob job(String topic, String name, Aggregation payload) {
        return StagedJob.builder(topic, name)
                .key(payload.contractId())
                .json(payload)
                .build();
    }
}
