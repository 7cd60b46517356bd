package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.Progress.JobRef;
import java.util.Map;
import java.util.Optional;

/**
 * Compares, for a lane's new owner, the last batch that the database settled with the last one that Kafka committed.
 */
final class Reconciliation {

    private Reconciliation() {}

    /**
     * Compares the two. The database writes a batch's number with the deletion of its rows, after Kafka committed them.
     * So Kafka may be one batch ahead; any other difference is a contradiction. If it is one ahead, the owner must
     * delete the batch's remaining rows.
     *
     * @param channel the lane's channel in the database, which gets a new one before Kafka does
     * @param settled number of the last batch that the database has deleted, 0 if none
     * @param kafka what Kafka committed last
     * @param present digests of those rows of {@code kafka} that are still in the table, by id
     * @return the contradiction, in one line; empty if the stores agree. If it is present, the owner must not publish
     *     or delete anything until a person has acted
     */
    static Optional<String> compare(int channel, long settled, Progress kafka, Map<Long, Long> present) {
        if (kafka.channel() > channel) {
            return Optional.of("Kafka holds progress of channel " + kafka.channel()
                    + ", but the database only knows channel " + channel
                    + ": the database was put back to an earlier state, or it is a copy beside the original");
        }
        if (kafka.batch() == 0 && settled > 0) {
            return Optional.of(
                    "the database has settled batch " + settled + ", but Kafka holds no progress of it: this is"
                            + " another Kafka cluster, its progress topic was lost, or the database is a copy or"
                            + " was moved into a new cluster of PostgreSQL, as by pg_upgrade");
        }
        if (kafka.batch() < settled) {
            return Optional.of("the database has settled batch " + settled + ", but Kafka only holds batch "
                    + kafka.batch() + ": Kafka lost what it had acknowledged, or the database is a copy");
        }
        if (kafka.batch() > settled + 1) {
            return Optional.of("Kafka holds batch " + kafka.batch() + ", but the database has only settled batch "
                    + settled + ": the database was put back to an earlier state, or it is a copy beside the original");
        }
        for (JobRef job : kafka.jobs()) {
            Long digest = present.get(job.id());
            if (digest == null) {
                continue; // deleted by its batch, or by hand
            }
            boolean same = digest == job.digest();
            if (kafka.batch() == settled && same) {
                return Optional.of("the job with id " + job.id() + " waits again although its batch " + settled
                        + " was settled: the database was put back to an earlier state");
            }
            // Once its batch is settled, a published id may be reused (TRUNCATE ... RESTART IDENTITY).
            if (kafka.batch() > settled && !same) {
                return Optional.of(
                        "the job with id " + job.id() + " is another one than Kafka holds under that id in batch "
                                + kafka.batch() + ": the database was put back to an earlier state, or it is a copy");
            }
        }
        return Optional.empty();
    }
}
