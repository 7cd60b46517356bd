package io.stagedjobs.enqueuer.diagnosis;

/**
 * What one check saw.
 *
 * @param check its name
 * @param seen without a full stop at its end
 * @param fix what to do, with commands or SQL that can be pasted; empty if there is nothing to do
 */
public record Finding(String check, Verdict verdict, String seen, String fix) {

    static Finding ok(String check, String seen) {
        return new Finding(check, Verdict.OK, seen, "");
    }

    /** A check that did not come to a verdict. */
    public static Finding notLooked(String check, String why, String fix) {
        return new Finding(check, Verdict.NOT_LOOKED, why, fix);
    }

    /** As one text: what was seen, and what to do. */
    String sentence() {
        return seen + "." + (fix.isEmpty() ? "" : " " + fix);
    }
}
