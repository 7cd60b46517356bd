package io.stagedjobs.enqueuer;

/**
 * Why a job cannot be published now, or ever.
 *
 * @param reason the kind, from a fixed set
 * @param detail one line for a person: what happened and what to do
 */
public record Refusal(Reason reason, String detail) {

    /** The refusal of whatever comes after a job that is parked, under its key. */
    public static Refusal follows(long id) {
        return new Refusal(Reason.FOLLOWS, "follows the job with id " + id + " of the same key, which is parked");
    }

    /** The kinds of reasons. Some pass when the topic changes, the others wait for a person. */
    public enum Reason {
        TOPIC_MISSING("topic missing"),
        TOPIC_FORBIDDEN("topic forbidden"),
        /** The topic exists, and its brokers cannot write to it now. */
        TOPIC_UNAVAILABLE("topic unavailable"),
        TOPIC_REFUSED("topic refused"),
        TOPIC_PAUSED("topic paused"),
        TOO_LARGE("too large"),
        REFUSED("refused"),
        /** Nothing is wrong with the job itself: an earlier one of its key is parked. */
        FOLLOWS("follows");

        /** Whether it passes by itself when the topic changes; else a person decides. */
        boolean passes() {
            return this == TOPIC_MISSING
                    || this == TOPIC_FORBIDDEN
                    || this == TOPIC_UNAVAILABLE
                    || this == TOPIC_PAUSED;
        }

        private final String label;

        Reason(String label) {
            this.label = label;
        }

        /** As it stands in column {@code reason} of {@code parked_jobs}. */
        public String label() {
            return label;
        }
    }
}
