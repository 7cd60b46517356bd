package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Refusal.Reason;
import io.stagedjobs.testkit.Eventually;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/**
 * What the lane protocol relies on of a {@link Publisher} that keeps progress in Kafka, whoever implements it. Topics
 * and progress are new for each test.
 */
interface PublisherContract {

    int LANE = 3;
    int OTHER_LANE = 4;

    Publisher publisher();

    /** That of another process. */
    Publisher another();

    /** A topic with one partition. */
    String topic();

    /** A topic that does not exist. */
    String missing();

    void create(String topic);

    /** The next job, by its id; it belongs to that topic. */
    Job job(String topic);

    /** As {@link #job}, larger than its topic takes. */
    Job tooLarge();

    /** The jobs of the records in a topic, in their order, for readers of what is committed. */
    List<UUID> visible(String topic) throws Exception;

    private static Progress progress(long batch, Job... jobs) {
        return Progress.of(0, batch, List.of(jobs));
    }

    private static void assertPublished(Outcome outcome, Job... jobs) {
        assertThat(outcome.failure()).isNull();
        assertThat(outcome.published()).containsExactly(jobs);
        assertThat(outcome.refusedJobs()).isEmpty();
    }

    private static void assertFailed(Outcome outcome) {
        assertThat(outcome.failure()).isNotNull();
        assertThat(outcome.published()).isEmpty();
    }

    private void assertVisible(String topic, Job... jobs) throws Exception {
        assertThat(visible(topic))
                .containsExactly(List.of(jobs).stream().map(Job::jobId).toArray(UUID[]::new));
    }

    /** What the next owner finds, which fences the one before. */
    private Progress found(long generation) {
        try (Publisher.Session session = another().open(LANE, generation, 0).orThrow()) {
            Progress progress = session.progress().orElseThrow();
            assertThat(publisher().peek(LANE)).hasValue(progress);
            return progress;
        }
    }

    @Test
    default void before_anything_was_published_there_is_no_progress() {
        assertThat(publisher().peek(LANE)).hasValue(Progress.NONE);
        assertThat(found(1)).isEqualTo(Progress.NONE);
    }

    @Test
    default void a_batch_is_visible_in_its_order_and_is_the_progress_from_then_on() throws Exception {
        Job first = job(topic());
        Job second = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            assertThat(session.progress()).hasValue(Progress.NONE);
            assertPublished(session.publish(new Batch(1, List.of(first, second))), first, second);
            assertVisible(topic(), first, second);
        }
        assertThat(found(2)).isEqualTo(progress(1, first, second));
    }

    @Test
    default void the_progress_is_that_of_the_last_batch_alone() throws Exception {
        Job first = job(topic());
        Job second = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            assertPublished(session.publish(new Batch(1, List.of(first))), first);
            assertPublished(session.publish(new Batch(2, List.of(second))), second);
        }
        assertVisible(topic(), first, second);
        assertThat(found(2)).isEqualTo(progress(2, second));
    }

    @Test
    default void a_session_that_has_published_nothing_yet_is_fenced_by_a_later_one() throws Exception {
        Job job = job(topic());
        Publisher.Session earlier = publisher().open(LANE, 1, 0).orThrow();
        try (Publisher.Session later = another().open(LANE, 2, 0).orThrow()) {
            assertFailed(earlier.publish(new Batch(1, List.of(job))));
            earlier.close();
            assertVisible(topic());
            assertPublished(later.publish(new Batch(1, List.of(job))), job);
        }
        assertVisible(topic(), job);
    }

    @Test
    default void a_session_that_has_published_is_fenced_by_a_later_one_which_goes_on_from_there() throws Exception {
        Job first = job(topic());
        Job second = job(topic());
        Publisher.Session earlier = publisher().open(LANE, 1, 0).orThrow();
        assertPublished(earlier.publish(new Batch(1, List.of(first))), first);
        try (Publisher.Session later = another().open(LANE, 2, 0).orThrow()) {
            assertThat(later.progress()).hasValue(progress(1, first));
            assertFailed(earlier.publish(new Batch(2, List.of(second))));
            earlier.close();
            assertVisible(topic(), first);
            assertPublished(later.publish(new Batch(2, List.of(second))), second);
        }
        assertVisible(topic(), first, second);
        assertThat(found(3)).isEqualTo(progress(2, second));
    }

    @Test
    default void to_look_at_the_progress_fences_nobody() {
        Job job = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            assertThat(another().peek(LANE)).hasValue(Progress.NONE);
            assertPublished(session.publish(new Batch(1, List.of(job))), job);
        }
    }

    @Test
    default void a_session_that_was_closed_is_followed_by_another_of_the_same_process() {
        Job first = job(topic());
        Job second = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            assertPublished(session.publish(new Batch(1, List.of(first))), first);
        }
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            assertThat(session.progress()).hasValue(progress(1, first));
            assertPublished(session.publish(new Batch(2, List.of(second))), second);
        }
    }

    @Test
    default void under_another_channel_a_session_goes_on_and_the_progress_names_the_channel_at_once() throws Exception {
        Job first = job(topic());
        Job second = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            assertPublished(session.publish(new Batch(1, List.of(first))), first);
        }
        Progress under = progress(1, first).under(1);
        try (Publisher.Session session = publisher().open(LANE, 2, 1).orThrow()) {
            assertThat(session.progress()).hasValue(under);
            assertThat(another().peek(LANE)).hasValue(under);
            assertPublished(session.publish(new Batch(2, List.of(second))), second);
        }
        assertVisible(topic(), first, second);
        try (Publisher.Session session = another().open(LANE, 3, 1).orThrow()) {
            assertThat(session.progress()).hasValue(progress(2, second).under(1));
        }
    }

    @Test
    default void whoever_uses_an_earlier_channel_is_told_the_later_one() {
        publisher().open(LANE, 2, 2).orThrow().close();
        try (Publisher.Session session = another().open(LANE, 1, 1).orThrow()) {
            assertThat(session.progress()).hasValue(Progress.NONE.under(2));
        }
    }

    @Test
    default void lanes_neither_fence_each_other_nor_share_their_progress() {
        Job job = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow();
                Publisher.Session other = another().open(OTHER_LANE, 1, 0).orThrow()) {
            assertPublished(session.publish(new Batch(1, List.of(job))), job);
            assertThat(other.progress()).hasValue(Progress.NONE);
        }
        assertThat(publisher().peek(OTHER_LANE)).hasValue(Progress.NONE);
    }

    @Test
    default void topics_are_refused_that_do_not_exist_until_they_do() throws Exception {
        assertThat(publisher().refused(Set.of())).isEmpty();
        assertThat(publisher().refused(Set.of(topic(), missing())))
                .hasSize(1)
                .hasEntrySatisfying(missing(), why -> assertThat(why.reason()).isEqualTo(Reason.TOPIC_MISSING));
        create(missing());
        Eventually.until(
                "the topic is known",
                () -> publisher().refused(Set.of(topic(), missing())).isEmpty());
    }

    @Test
    default void jobs_of_a_missing_topic_are_left_out_and_the_others_are_published() throws Exception {
        Job first = job(topic());
        Job refused = job(missing());
        Job last = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            Outcome outcome = session.publish(new Batch(1, List.of(first, refused, last)));
            assertPublished(outcome, first, last);
            assertThat(outcome.refusedTopics()).containsOnlyKeys(missing());
        }
        assertVisible(topic(), first, last);
        assertThat(found(2)).isEqualTo(progress(1, first, last));
    }

    @Test
    default void a_batch_of_missing_topics_only_is_no_batch() {
        Job refused = job(missing());
        Job job = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            Outcome outcome = session.publish(new Batch(1, List.of(refused)));
            assertPublished(outcome);
            assertThat(outcome.refusedTopics()).containsOnlyKeys(missing());
            assertPublished(session.publish(new Batch(1, List.of(job))), job);
        }
        assertThat(found(2)).isEqualTo(progress(1, job));
    }

    @Test
    default void what_comes_before_a_job_that_might_be_refused_goes_first() throws Exception {
        Job before = job(topic());
        Job tooLarge = tooLarge();
        Job after = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            assertPublished(session.publish(new Batch(1, List.of(before, tooLarge, after))), before);
        }
        assertVisible(topic(), before);
        assertThat(found(2)).isEqualTo(progress(1, before));
    }

    @Test
    default void a_job_that_is_too_large_is_refused_alone_and_the_session_goes_on() throws Exception {
        Job tooLarge = tooLarge();
        Job after = job(topic());
        try (Publisher.Session session = publisher().open(LANE, 1, 0).orThrow()) {
            Outcome outcome = session.publish(new Batch(1, List.of(tooLarge, after)));
            assertThat(outcome.failure()).isNull();
            assertThat(outcome.published()).isEmpty();
            assertThat(outcome.refusedTopics()).isEmpty();
            assertThat(outcome.refusedJobs()).hasSize(1).hasEntrySatisfying(tooLarge.id(), why -> assertThat(
                            why.reason())
                    .isEqualTo(Reason.TOO_LARGE));
            assertVisible(tooLarge.topic());
            assertVisible(topic());
            assertThat(another().peek(LANE)).hasValue(Progress.NONE);
            assertPublished(session.publish(new Batch(1, List.of(after))), after);
        }
        assertThat(found(2)).isEqualTo(progress(1, after));
    }
}
