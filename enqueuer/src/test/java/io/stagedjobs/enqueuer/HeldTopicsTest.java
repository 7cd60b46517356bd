package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Outcome.Refusal;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class HeldTopicsTest {

    private final AtomicLong now = new AtomicLong();
    private final HeldTopics held = new HeldTopics(now::get);

    private static Outcome refused(String topic, boolean ofOneJob) {
        return new Outcome(List.of(), Map.of(topic, new Refusal("reason", ofOneJob)), null);
    }

    private static Outcome published(String topic) {
        Job job = new Job(1, UUID.randomUUID(), topic, null, "n", null, null, Instant.EPOCH);
        return new Outcome(List.of(job), Map.of(), null);
    }

    @Test
    void a_refused_topic_is_left_out_until_its_next_try() {
        held.learn(refused("t", false), held.now());
        assertThat(held.now().topics()).containsExactly("t");
        now.addAndGet(HeldTopics.RETRY_TOPIC.toNanos());
        assertThat(held.now().topics()).isEmpty();
        assertThat(held.reasons()).containsExactly(Map.entry("t", "reason"));
    }

    @Test
    void a_topic_that_refused_one_job_is_tried_less_often() {
        held.learn(refused("t", true), held.now());
        now.addAndGet(HeldTopics.RETRY_TOPIC.toNanos());
        assertThat(held.now().topics()).containsExactly("t");
        now.addAndGet(HeldTopics.RETRY_JOB.toNanos());
        assertThat(held.now().topics()).isEmpty();
    }

    @Test
    void a_try_that_succeeds_frees_the_topic() {
        held.learn(refused("t", false), held.now());
        now.addAndGet(HeldTopics.RETRY_TOPIC.toNanos());
        held.learn(published("t"), held.now());
        assertThat(held.reasons()).isEmpty();
    }

    @Test
    void a_batch_of_another_lane_that_was_read_before_the_hold_frees_nothing() {
        HeldTopics.View before = held.now();
        held.learn(refused("t", true), held.now());
        held.learn(published("t"), before);
        assertThat(held.now().topics()).containsExactly("t");
    }
}
