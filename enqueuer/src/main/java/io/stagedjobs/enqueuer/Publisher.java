package io.stagedjobs.enqueuer;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The port to Kafka: takes a batch, returns an outcome. Thread-safe; a session belongs to one thread. */
public interface Publisher extends AutoCloseable {

    /**
     * Checks that the cluster can do what this delivery mode needs; creates our own topic.
     *
     * @param lanes the number of lanes
     * @throws ExternalFailureException if it cannot, or does not answer in time
     */
    void check(int lanes);

    /**
     * The lane's progress in Kafka, read without disturbing anybody.
     *
     * @return empty if this delivery mode keeps no progress in Kafka
     * @throws ExternalFailureException if Kafka cannot be reached in time
     * @throws LaneHaltedException if Kafka's record is not progress of this lane
     */
    Optional<Progress> peek(int lane);

    /**
     * Starts publishing for one ownership of a lane. In a delivery mode that can fence, once a session is returned, no
     * further record of an earlier owner under this channel becomes visible, and the progress names the channel.
     *
     * @param channel the lane's channel in the database; to Kafka each channel is a separate owner
     * @return a session, or Kafka's decision if no session can be opened
     * @throws ExternalFailureException if Kafka cannot be reached in time, or has not decided
     * @throws LaneHaltedException if Kafka's record is not progress of this lane
     */
    Opened open(int lane, long generation, int channel);

    /**
     * The topics that cannot be written to now, and why; without the others.
     *
     * @throws ExternalFailureException if Kafka does not answer in time: a share of the publish timeout
     */
    Map<String, Refusal> refused(Set<String> topics);

    @Override
    void close();

    /** The result of {@link #open}. */
    sealed interface Opened permits Session, Decided {

        /**
         * The session.
         *
         * @throws ExternalFailureException if there is none
         */
        Session orThrow();
    }

    /**
     * The lane's last transaction under the channel cannot be ended everywhere, so no session can be opened and nobody
     * is fenced; but its outcome is decided. The caller must know whether its owner can begin another one.
     *
     * @param progress the lane's progress in Kafka, including that transaction
     * @param failure why there is no session
     */
    record Decided(Progress progress, ExternalFailureException failure) implements Opened {

        @Override
        public Session orThrow() {
            throw failure;
        }
    }

    /** One ownership of one lane. */
    non-sealed interface Session extends Opened, AutoCloseable {

        @Override
        default Session orThrow() {
            return this;
        }

        /**
         * The lane's progress in Kafka before the session was opened; empty if this delivery mode keeps none. No
         * earlier owner can add to it any more.
         */
        Optional<Progress> progress();

        /**
         * Publishes the first jobs of a batch in their order, usually all of them, and waits until each is acknowledged
         * or failed, at most the publish timeout in all. It does not throw for Kafka's errors: they are in the outcome.
         */
        Outcome publish(Batch batch);

        /**
         * Waits until no record of this session can reach Kafka any more, at most about the publish timeout; never
         * throws.
         */
        @Override
        void close();
    }
}
