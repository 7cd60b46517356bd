package io.stagedjobs.daemon.cli;

/**
 * A line of output.
 *
 * @param text in which foreign text is already escaped
 */
record Line(Style style, String text) {

    static Line plain(String text) {
        return new Line(Style.PLAIN, text);
    }

    static Line bold(String text) {
        return new Line(Style.BOLD, text);
    }

    static Line bad(String text) {
        return new Line(Style.BAD, text);
    }
}
