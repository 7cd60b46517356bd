package io.stagedjobs.enqueuer.diagnosis;

import io.stagedjobs.enqueuer.ExternalFailureException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes all checks of both servers, and composes what they say. Changes nothing. What a check met in place of an answer
 * becomes its finding: {@link #examine} does not throw.
 */
public final class Doctor {

    private static final String CLOCKS = "clocks";

    private final DatabaseChecks database;
    private final KafkaChecks kafka;
    private final Thresholds thresholds;

    public Doctor(DatabaseChecks database, KafkaChecks kafka, Thresholds thresholds) {
        this.database = database;
        this.kafka = kafka;
        this.thresholds = thresholds;
    }

    /** Looks at everything; takes seconds. */
    public Diagnosis examine() {
        DatabaseChecks.Looked ofDatabase;
        String away = null;
        try {
            ofDatabase = database.look();
        } catch (ExternalFailureException e) {
            away = String.valueOf(e.getMessage());
            ofDatabase = new DatabaseChecks.Looked(null, null, 0, Set.of(), null, List.of());
        }
        Work work = ofDatabase.work();
        KafkaChecks.Looked ofKafka = kafka.look(new KafkaChecks.Questions(
                ofDatabase.topics(),
                ofDatabase.payloadBytesMax(),
                ofDatabase.name(),
                work == null ? 0 : work.lanes().size()));
        List<Finding> findings = new ArrayList<>(ofDatabase.findings());
        findings.addAll(ofKafka.findings());
        findings.add(clocks(ofDatabase.clock(), ofKafka.clock()));
        findings.sort(Comparator.comparing(Finding::verdict));
        Finding reason = new Why(thresholds).of(away, work, ofKafka.away(), findings);
        findings.add(reason);
        findings.sort(Comparator.comparing(Finding::verdict)
                .thenComparing(finding -> !finding.equals(reason))); // what the sentence says comes first of its kind
        return new Diagnosis(sentence(reason, findings), List.copyOf(findings));
    }

    /** Where jobs move, or none waits, what else is wrong is the news. */
    private static String sentence(Finding reason, List<Finding> findings) {
        Finding worst = findings.get(0);
        return reason.sentence()
                + (reason.verdict() == Verdict.OK && worst.verdict() == Verdict.WRONG
                        ? " But " + worst.sentence()
                        : "");
    }

    private Finding clocks(@Nullable ClockOffset ofDatabase, @Nullable ClockOffset ofKafka) {
        if (ofDatabase == null && ofKafka == null) {
            return Finding.notLooked(CLOCKS, "neither PostgreSQL nor Kafka answered with its time", "");
        }
        List<String> seen = new ArrayList<>();
        boolean apart = false;
        if (ofDatabase != null) {
            seen.add("PostgreSQL's clock is " + ofDatabase.words() + " of this machine's");
            apart = ofDatabase.exceeds(thresholds.skew());
        }
        if (ofKafka != null) {
            seen.add("that of Kafka's controller " + ofKafka.words());
            apart |= ofKafka.exceeds(thresholds.skew());
        }
        if (ofDatabase != null && ofKafka != null) {
            apart |= ofDatabase.minus(ofKafka).exceeds(thresholds.skew());
        }
        return apart
                ? new Finding(
                        CLOCKS,
                        Verdict.WARNING,
                        String.join(", ", seen),
                        "No job is lost or delayed by it; ages, ce_time and timestamps of records mislead. Let NTP set"
                                + " the clocks: timedatectl set-ntp true")
                : Finding.ok(CLOCKS, String.join(", ", seen));
    }
}
