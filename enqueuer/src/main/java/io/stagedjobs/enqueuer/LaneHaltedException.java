package io.stagedjobs.enqueuer;

/** The database and Kafka contradict each other about a lane: it stands still until a person has looked. */
final class LaneHaltedException extends RuntimeException {

    LaneHaltedException(String reason) {
        super(reason);
    }
}
