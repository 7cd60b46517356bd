package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.Progress.JobRef;
import java.util.Map;

/** What a lane's new owner finds when it compares what the database has settled with what Kafka has committed. */
public sealed interface Reconciliation {

    /**
     * They agree, or agree now: the rows of a batch that only Kafka knew are deleted.
     *
     * @param batch number of the last batch that is in Kafka and deleted
     */
    record Agreed(long batch) implements Reconciliation {}

    /** The lane has a newer owner; nothing was done. */
    record NotOurs() implements Reconciliation {}

    /**
     * They cannot both be true. Nothing was done, and nothing is to be published before a person has looked.
     *
     * @param reason what does not fit, in one line
     */
    record Halted(String reason) implements Reconciliation {}

    /**
     * Compares. The database writes a batch's number with the deletion of its rows, after Kafka committed them: Kafka may
     * be one batch ahead, and nothing else.
     *
     * @param settled number of the last batch that the database has deleted, 0 if none
     * @param kafka what Kafka committed last
     * @param present digests of those rows of {@code kafka} that are still in the table, by id
     */
    static Reconciliation compare(long settled, Progress kafka, Map<Long, Long> present) {
        if (kafka.batch() == 0 && settled > 0) {
            return new Halted(
                    "the database has settled batch " + settled + ", but Kafka holds no progress of it: this is"
                            + " another Kafka cluster, its progress topic was lost, or the database is a copy");
        }
        if (kafka.batch() < settled) {
            return new Halted("the database has settled batch " + settled + ", but Kafka only holds batch "
                    + kafka.batch() + ": Kafka lost what it had acknowledged, or the database is a copy");
        }
        if (kafka.batch() > settled + 1) {
            return new Halted("Kafka holds batch " + kafka.batch() + ", but the database has only settled batch "
                    + settled + ": the database was put back to an earlier state, or it is a copy beside the original");
        }
        for (JobRef job : kafka.jobs()) {
            Long digest = present.get(job.id());
            if (digest == null) {
                continue; // deleted by its batch, or by somebody's hand
            }
            if (digest != job.digest()) {
                return new Halted(
                        "the job with id " + job.id() + " is another one than Kafka holds under that id in batch "
                                + kafka.batch() + ": the database was put back to an earlier state, or it is a copy");
            }
            if (kafka.batch() == settled) {
                return new Halted("the job with id " + job.id() + " waits again although its batch " + settled
                        + " was settled: the database was put back to an earlier state");
            }
        }
        return new Agreed(kafka.batch());
    }
}
