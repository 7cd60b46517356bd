package io.stagedjobs.daemon.cli;

/** How a terminal shows a piece of text. */
enum Style {
    PLAIN(""),
    BOLD("\u001b[1m"),
    GOOD("\u001b[32m"),
    WARNING("\u001b[33m"),
    BAD("\u001b[31m");

    /** Ends every style. */
    static final String OFF = "\u001b[0m";

    private final String sequence;

    Style(String sequence) {
        this.sequence = sequence;
    }

    /** The control sequence that begins it; empty for plain text. */
    String sequence() {
        return sequence;
    }
}
