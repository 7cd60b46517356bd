package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.faultkit.Logged;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class HeldTopicsTest {

    private static final Refusal MISSING = new Refusal(Refusal.Reason.TOPIC_MISSING, "the topic does not exist");

    private final AtomicLong clock = new AtomicLong();
    private final HeldTopics topics = new HeldTopics(clock::get);

    private static List<String> ours(Logged logged) {
        return logged.lines().stream()
                .filter(line -> line.contains(HeldTopics.class.getName()))
                .toList();
    }

    @Test
    void a_topic_is_logged_once_however_many_lanes_hold_its_jobs_and_once_when_it_takes_jobs_again() {
        try (Logged logged = new Logged()) {
            for (int lane = 0; lane < 8; lane++) {
                topics.held("users", MISSING);
            }
            assertThat(ours(logged))
                    .singleElement()
                    .asString()
                    .contains("topic users takes no jobs: the topic does not");
            for (int lane = 0; lane < 8; lane++) {
                topics.takesJobs("users");
            }
            assertThat(ours(logged)).hasSize(2).last().asString().contains("topic users takes jobs again");
        }
    }

    @Test
    void of_a_thousand_topics_a_few_are_logged_each_minute_and_their_number() {
        try (Logged logged = new Logged()) {
            for (int topic = 0; topic < 1_000; topic++) {
                topics.held("first-" + topic, MISSING);
            }
            assertThat(ours(logged)).hasSize(20);
            assertThat(ours(logged).get(19)).contains("20 hold jobs now", "`staged-jobs status` has them");
            clock.addAndGet(Duration.ofMinutes(1).toNanos());
            for (int topic = 0; topic < 1_000; topic++) {
                topics.held("second-" + topic, MISSING);
            }
            assertThat(ours(logged)).hasSize(40);
            assertThat(ours(logged).get(39)).contains("1020 hold jobs now");
        }
    }
}
