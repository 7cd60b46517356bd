package io.stagedjobs.demo;

import java.time.Duration;
import java.util.List;

/**
 * The result of an audit. Each finding is one line in plain words.
 *
 * @param actions the number of rows that the business stored
 * @param records the number of records in Kafka that claim to report a row
 * @param others the number of records with other names, which somebody else staged
 * @param lost stored, but in no record
 * @param invented in a record, but not stored in that form: for example from a transaction that was rolled back
 * @param repeated reported by a second record, or a second record with the same id
 * @param overtaken first reported after a later action of the same key
 * @param lags the time from staging to Kafka of each correct record, in no order
 */
public record AuditReport(
        int actions,
        int records,
        int others,
        List<String> lost,
        List<String> invented,
        List<String> repeated,
        List<String> overtaken,
        List<Duration> lags) {

    private static final int SHOWN_MAX = 10;

    public AuditReport {
        lost = List.copyOf(lost);
        invented = List.copyOf(invented);
        repeated = List.copyOf(repeated);
        overtaken = List.copyOf(overtaken);
        lags = lags.stream().sorted().toList();
    }

    /** Whether each action has its one record and no order is broken. */
    public boolean passed() {
        return lost.isEmpty() && invented.isEmpty() && repeated.isEmpty() && overtaken.isEmpty();
    }

    /** Half of the lags are not longer; zero if there are none. */
    public Duration lagMedian() {
        return lags.isEmpty() ? Duration.ZERO : lags.get((lags.size() - 1) / 2);
    }

    /** The longest lag; zero if there is none. */
    public Duration lagMax() {
        return lags.isEmpty() ? Duration.ZERO : lags.get(lags.size() - 1);
    }

    /** The verdict in one line, then the first {@value #SHOWN_MAX} findings of each kind. */
    public String summary() {
        StringBuilder text = new StringBuilder(passed() ? "PASSED" : "FAILED")
                .append(": " + actions + " actions stored, " + records + " records in Kafka; " + lost.size() + " lost, "
                        + invented.size() + " invented, " + repeated.size() + " repeated, " + overtaken.size()
                        + " overtaken"
                        + (others == 0 ? "" : "; " + others + " of other names, staged by somebody else"));
        append(text, "lost", lost);
        append(text, "invented", invented);
        append(text, "repeated", repeated);
        append(text, "overtaken", overtaken);
        return text.toString();
    }

    private static void append(StringBuilder text, String kind, List<String> findings) {
        findings.stream().limit(SHOWN_MAX).forEach(finding -> text.append("\n  " + kind + ": " + finding));
        if (findings.size() > SHOWN_MAX) {
            text.append("\n  " + kind + ": and " + (findings.size() - SHOWN_MAX) + " more");
        }
    }
}
