package io.stagedjobs.enqueuer.diagnosis;

import com.fasterxml.jackson.annotation.JsonValue;

/** What a check came to, worst first. */
public enum Verdict {
    WRONG("wrong"),
    WARNING("warning"),
    /** A right, an answer or time was missing; the other checks go on. */
    NOT_LOOKED("could not look"),
    OK("ok");

    private final String label;

    Verdict(String label) {
        this.label = label;
    }

    /** As a person and JSON read it. */
    @JsonValue
    public String label() {
        return label;
    }
}
