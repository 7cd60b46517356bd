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
     * @throws ExternalFailureException if it cannot, or does not answer in time
     */
    void check(int lanes);

    /**
     * What Kafka has committed of a lane, read without disturbing anybody.
     *
     * @return empty if this delivery mode keeps no progress in Kafka
     * @throws ExternalFailureException if Kafka cannot be reached in time
     * @throws LaneHaltedException if what Kafka holds is no progress
     */
    Optional<Progress> peek(int lane);

    /**
     * Starts publishing for one ownership of a lane. In a delivery mode that can fence, no record that an earlier owner
     * publishes under this channel becomes visible after a session is returned, and the progress names the channel.
     *
     * @param channel under which the lane publishes, by the database; each is an owner of its own for Kafka
     * @return a session, or what Kafka has decided where none can be opened
     * @throws ExternalFailureException if Kafka cannot be reached in time, or has not decided
     * @throws LaneHaltedException if what Kafka holds is no progress
     */
    Opened open(int lane, long generation, int channel);

    /**
     * Which of the topics cannot be written to now, and why; the others are left out.
     *
     * @throws ExternalFailureException if Kafka does not answer in time: a share of the publish timeout
     */
    Map<String, Refusal> refused(Set<String> topics);

    @Override
    void close();

    /** What {@link #open} comes to. */
    sealed interface Opened permits Session, Decided {

        /**
         * The session.
         *
         * @throws ExternalFailureException if there is none
         */
        Session orThrow();
    }

    /**
     * The lane's last transaction under the channel cannot be ended everywhere, so that no session can be opened and
     * nobody is fenced; but what becomes of it is decided. Whether its owner can begin another one is for the caller to
     * know.
     *
     * @param progress what Kafka holds of the lane, that transaction included
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
         * What Kafka has committed of this lane before the session was opened; empty if this delivery mode keeps no
         * progress in Kafka. No earlier owner can add to it any more.
         */
        Optional<Progress> progress();

        /**
         * Publishes the first jobs of a batch in their order, most often all of them, and waits until each is
         * acknowledged or failed, at most the publish timeout in all. Throws nothing for what Kafka answers: that is
         * the outcome.
         */
        Outcome publish(Batch batch);

        /**
         * Waits until nothing of this session can reach Kafka any more, at most about the publish timeout; never
         * throws.
         */
        @Override
        void close();
    }
}
