package io.stagedjobs.enqueuer;

import java.util.Map;
import java.util.Set;

/** The port to Kafka: a batch in, an outcome out. Safe for use by many threads; a session belongs to one. */
public interface Publisher extends AutoCloseable {

    /**
     * Starts publishing for one ownership of a lane. In a delivery mode that can fence, no earlier owner's record becomes
     * visible after this returns.
     *
     * @throws OutsideException if Kafka cannot be reached within the publish timeout
     */
    Session open(int lane, long generation);

    /**
     * Which of the topics cannot be written to now, and why; the others are left out.
     *
     * @throws OutsideException if Kafka does not answer within the publish timeout
     */
    Map<String, Outcome.Refusal> refused(Set<String> topics);

    @Override
    void close();

    /** One ownership of one lane. */
    interface Session extends AutoCloseable {

        /** What Kafka has committed of this lane before the session was opened. */
        Progress progress();

        /**
         * Publishes the jobs of a batch in their order and waits until each is acknowledged or failed, at most about the
         * publish timeout. Throws nothing for what Kafka answers: that is the outcome.
         */
        Outcome publish(Batch batch);

        /** Never throws. */
        @Override
        void close();
    }
}
