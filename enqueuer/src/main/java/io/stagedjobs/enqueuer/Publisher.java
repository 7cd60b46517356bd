package io.stagedjobs.enqueuer;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The port to Kafka: a batch in, an outcome out. Safe for use by many threads; a session belongs to one. */
public interface Publisher extends AutoCloseable {

    /**
     * Asks the cluster whether it can do what this delivery mode needs; creates what is ours to create.
     *
     * @param lanes how many there are
     * @throws OutsideException if it cannot, or does not answer in time
     */
    void check(int lanes);

    /**
     * What Kafka has committed of a lane, read without disturbing anybody.
     *
     * @return empty if this delivery mode keeps no progress in Kafka
     * @throws OutsideException if Kafka cannot be reached in time
     * @throws LaneHaltedException if what Kafka holds is no progress
     */
    Optional<Progress> peek(int lane);

    /**
     * Starts publishing for one ownership of a lane. In a delivery mode that can fence, no earlier owner's record becomes
     * visible after this returns.
     *
     * @throws OutsideException if Kafka cannot be reached in time
     * @throws LaneHaltedException if what Kafka holds is no progress
     */
    Session open(int lane, long generation);

    /**
     * Which of the topics cannot be written to now, and why; the others are left out.
     *
     * @throws OutsideException if Kafka does not answer in time: a share of the publish timeout
     */
    Map<String, Refusal> refused(Set<String> topics);

    @Override
    void close();

    /** One ownership of one lane. */
    interface Session extends AutoCloseable {

        /**
         * What Kafka has committed of this lane before the session was opened; empty if this delivery mode keeps no
         * progress in Kafka. No earlier owner can add to it any more.
         */
        Optional<Progress> progress();

        /**
         * Publishes the first jobs of a batch in their order, most often all of them, and waits until each is acknowledged or
         * failed, at most the publish timeout in all. Throws nothing for what Kafka answers: that is the outcome.
         */
        Outcome publish(Batch batch);

        /** Waits until nothing of this session can reach Kafka any more, at most about the publish timeout; never throws. */
        @Override
        void close();
    }
}
