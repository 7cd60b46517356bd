package io.stagedjobs.enqueuer;

import java.util.Collection;
import java.util.List;
import java.util.UUID;

/**
 * The last batch of a lane that Kafka committed. It is in the same Kafka transaction as the batch's records, so it
 * exists if and only if they do.
 *
 * @param channel the channel under which it was written
 * @param batch the number of the lane's last batch in Kafka; 0 if there was none
 * @param jobs the jobs of that batch, by id
 */
public record Progress(int channel, long batch, List<JobRef> jobs) {

    /** Kafka has committed nothing of the lane. */
    public static final Progress NONE = new Progress(0, 0, List.of());

    /** The progress to publish with these jobs. */
    public static Progress of(int channel, long batch, Collection<Job> jobs) {
        return new Progress(
                channel,
                batch,
                jobs.stream().map(job -> JobRef.of(job.id(), job.jobId())).toList());
    }

    /** The same under another channel. */
    public Progress under(int another) {
        return new Progress(another, batch, jobs);
    }

    /**
     * A job by its position and a digest of its identity: a row is deleted only if both match.
     *
     * @param digest see {@link #digest}
     */
    public record JobRef(long id, long digest) {

        /** The reference of a job. */
        public static JobRef of(long id, UUID jobId) {
            return new JobRef(id, digest(jobId));
        }

        /**
         * 64 bits of a job's identity: enough to distinguish a job of a restored or copied database from the published
         * one.
         */
        public static long digest(UUID jobId) {
            return jobId.getMostSignificantBits() ^ jobId.getLeastSignificantBits();
        }
    }
}
