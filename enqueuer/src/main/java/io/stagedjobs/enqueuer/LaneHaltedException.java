package io.stagedjobs.enqueuer;

/**
 * The database and Kafka contradict each other about a lane, or the lane's progress in Kafka cannot be read: the lane
 * stands still until a person has acted. The message describes the contradiction, as the beginning of a sentence.
 */
public final class LaneHaltedException extends RuntimeException {

    public LaneHaltedException(String reason) {
        super(reason);
    }
}
