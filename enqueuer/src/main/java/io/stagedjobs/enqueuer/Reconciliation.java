package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.Progress.JobRef;
import java.util.Map;
import java.util.Optional;

/** What a lane's new owner finds when it compares what the database has settled with what Kafka has committed. */
final class Reconciliation {

    private Reconciliation() {}

    /**
     * Compares. The database writes a batch's number with the deletion of its rows, after Kafka committed them: Kafka
     * may be one batch ahead, and nothing else. Then the rows of that batch that are still there are to be deleted.
     *
     * @param channel under which the lane publishes, by the database, which is told before Kafka is
     * @param settled number of the last batch that the database has deleted, 0 if none
     * @param kafka what Kafka committed last
     * @param present digests of those rows of {@code kafka} that are still in the table, by id
     * @return what cannot be true with both stores intact, in one line; empty if they agree. Where it is present,
     *     nothing may be published or deleted before a person has looked
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
                continue; // deleted by its batch, or by somebody's hand
            }
            boolean same = digest == job.digest();
            if (kafka.batch() == settled && same) {
                return Optional.of("the job with id " + job.id() + " waits again although its batch " + settled
                        + " was settled: the database was put back to an earlier state");
            }
            // Once its batch is settled, a published id may be given out anew (TRUNCATE ... RESTART IDENTITY).
            if (kafka.batch() > settled && !same) {
                return Optional.of(
                        "the job with id " + job.id() + " is another one than Kafka holds under that id in batch "
                                + kafka.batch() + ": the database was put back to an earlier state, or it is a copy");
            }
        }
        return Optional.empty();
    }
}
