package io.stagedjobs.enqueuer;

/**
 * The database and Kafka contradict each other about a lane, or what Kafka holds of it cannot be read: it stands still
 * until a person has looked. The message says what was found, as the beginning of a sentence.
 */
public final class LaneHaltedException extends RuntimeException {

    public LaneHaltedException(String reason) {
        super(reason);
    }
}
