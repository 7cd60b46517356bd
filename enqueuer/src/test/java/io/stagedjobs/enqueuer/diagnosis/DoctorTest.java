package io.stagedjobs.enqueuer.diagnosis;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.enqueuer.diagnosis.Work.Aside;
import io.stagedjobs.enqueuer.diagnosis.Work.Enqueuer;
import io.stagedjobs.enqueuer.diagnosis.Work.Lane;
import io.stagedjobs.enqueuer.diagnosis.Work.Pause;
import io.stagedjobs.enqueuer.diagnosis.Work.Problem;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Which of several reasons comes first, and how findings are put together. The checks run on real servers. */
class DoctorTest {

    private static final Enqueuer WELL = new Enqueuer("1", "well", true, 1, List.of());
    private static final Lane WAITING = new Lane(0, "1", true, 7);
    private static final Lane EMPTY = new Lane(0, "1", false, 0);
    private static final Aside HELD = new Aside("orders", true, "topic missing", "the topic does not exist; create it");

    private static Work work(
            Lane lane, boolean moves, List<Enqueuer> enqueuers, List<Pause> pauses, List<Aside> aside) {
        return new Work(List.of(lane), moves, enqueuers, pauses, aside, List.of());
    }

    private static Enqueuer with(String place, String reason) {
        return new Enqueuer("1", "unwell", true, 1, List.of(new Problem(place, reason, 90)));
    }

    private static Diagnosis diagnosis(@Nullable Work work, @Nullable String kafkaAway, Finding... findings) {
        return new Doctor(
                        () -> new DatabaseChecks.Looked(work, "name", 0, Set.of(), null, List.of(findings)),
                        questions -> new KafkaChecks.Looked(kafkaAway, null, List.of()),
                        Thresholds.DEFAULT)
                .examine();
    }

    private static String why(Work work) {
        return diagnosis(work, null).why();
    }

    @Test
    void what_stops_everything_comes_before_what_stops_a_part() {
        List<Pause> paused = List.of(new Pause("*", 60));
        Enqueuer halted = with("lane 0", "rows cannot be deleted");
        assertThat(why(work(WAITING, false, List.of(), paused, List.of(HELD)))).contains("no enqueuer lives");
        assertThat(why(work(WAITING, false, List.of(halted), paused, List.of(HELD))))
                .contains("an operator paused everything 60 s ago");
        assertThat(diagnosis(work(WAITING, false, List.of(halted), List.of(), List.of(HELD)), "no answer")
                        .why())
                .startsWith("lane 0 is halted since 90 s: rows cannot be deleted.");
        assertThat(diagnosis(work(WAITING, false, List.of(WELL), List.of(), List.of(HELD)), "no answer")
                        .why())
                .startsWith("Nothing moves because Kafka cannot be reached: no answer; the oldest job waits for 7 s.");
        assertThat(why(work(EMPTY, false, List.of(WELL), List.of(), List.of(HELD))))
                .startsWith("Only held jobs are left");
    }

    @Test
    void what_an_enqueuer_says_counts_while_it_lives() {
        assertThat(why(work(WAITING, false, List.of(with("kafka", "lane 0: refused")), List.of(), List.of())))
                .startsWith("Kafka does not take jobs since 90 s: lane 0: refused");
        Enqueuer gone = new Enqueuer("2", "gone", false, 300, List.of(new Problem("kafka", "refused", 90)));
        assertThat(why(work(WAITING, true, List.of(WELL, gone), List.of(), List.of())))
                .isEqualTo("Jobs move; the oldest waits for 7 s.");
        assertThat(why(work(WAITING, false, List.of(gone), List.of(), List.of())))
                .contains(
                        "the last one, gone, ended without leaving and was seen 5 min ago, with this problem: refused");
    }

    @Test
    void jobs_that_wait_and_do_not_move_are_told_where_nobody_says_why() {
        assertThat(why(work(WAITING, false, List.of(WELL), List.of(), List.of())))
                .contains("see the log of well");
        assertThat(why(work(new Lane(0, null, true, 7), false, List.of(WELL), List.of(), List.of())))
                .contains("no enqueuer owns: 0");
    }

    @Test
    void where_nothing_waits_the_worst_finding_is_the_news_and_comes_first() {
        Finding fine = Finding.ok("ids", "drawn one by one");
        Finding wrong = new Finding("vacuum", Verdict.WRONG, "autovacuum is off", "Turn it on");
        Diagnosis diagnosis = diagnosis(work(EMPTY, false, List.of(WELL), List.of(), List.of()), null, fine, wrong);
        assertThat(diagnosis.why()).isEqualTo("Nothing waits. But autovacuum is off. Turn it on");
        assertThat(diagnosis.findings().get(0)).isEqualTo(wrong);
        assertThat(diagnosis.isWrong()).isTrue();
    }

    @Test
    void a_database_that_is_away_keeps_nobody_from_looking_at_kafka() {
        Diagnosis diagnosis = new Doctor(
                        () -> {
                            throw new ExternalFailureException(Origin.POSTGRESQL, "could not connect.", null);
                        },
                        questions -> new KafkaChecks.Looked(null, null, List.of(Finding.ok("Kafka", "answers"))),
                        Thresholds.DEFAULT)
                .examine();
        assertThat(diagnosis.why())
                .startsWith("Nothing moves because PostgreSQL cannot be reached: could not connect.");
        assertThat(diagnosis.findings()).contains(Finding.ok("Kafka", "answers"));
    }

    @Test
    void clocks_that_are_apart_for_certain_are_a_warning() {
        ClockOffset near = new ClockOffset(Duration.ofSeconds(-30), Duration.ofSeconds(29));
        ClockOffset far = new ClockOffset(Duration.ofSeconds(30), Duration.ofSeconds(1));
        assertThat(verdictOfClocks(near, null)).isEqualTo(Verdict.OK);
        assertThat(verdictOfClocks(null, far)).isEqualTo(Verdict.WARNING);
        assertThat(verdictOfClocks(near, near)).isEqualTo(Verdict.OK);
        assertThat(verdictOfClocks(null, null)).isEqualTo(Verdict.NOT_LOOKED);
    }

    private static Verdict verdictOfClocks(@Nullable ClockOffset ofDatabase, @Nullable ClockOffset ofKafka) {
        return new Doctor(
                        () -> new DatabaseChecks.Looked(null, null, 0, Set.of(), ofDatabase, List.of()),
                        questions -> new KafkaChecks.Looked(null, ofKafka, List.of()),
                        Thresholds.DEFAULT)
                .examine().findings().stream()
                        .filter(finding -> finding.check().equals("clocks"))
                        .map(Finding::verdict)
                        .findFirst()
                        .orElseThrow();
    }
}
