package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.Eventually;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the lane protocol relies on of a {@link Publisher} when Kafka cannot end the last transaction under a channel,
 * whoever implements it. Topics and progress are new for each test.
 */
public interface ChannelContract {

    int LANE = 3;

    Publisher publisher();

    /** A topic with one partition, whose broker goes on. */
    String healthy();

    /** One whose only broker dies. */
    String sick();

    /** The next job, by its id; it belongs to that topic. */
    Job job(String topic);

    /**
     * An owner's records and progress of its first batch are acknowledged under channel 0. Then the broker of
     * {@link #sick} dies, and the owner with it: just after it has committed, or without.
     */
    void leaveBehind(List<Job> jobs, boolean committed) throws Exception;

    /** The broker is back. */
    void mend() throws Exception;

    /** The jobs of the records in a topic, in their order, for readers of what is committed. */
    List<UUID> visible(String topic) throws Exception;

    private static List<UUID> ids(Job... jobs) {
        return List.of(jobs).stream().map(Job::jobId).toList();
    }

    private Publisher.Decided decided() throws Exception {
        AtomicReference<Publisher.Decided> found = new AtomicReference<>();
        Eventually.until("its end is decided", () -> {
            try {
                found.set((Publisher.Decided) publisher().open(LANE, 2, 0));
                return true;
            } catch (ExternalFailureException notYet) {
                return false;
            }
        });
        return found.get();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    default void what_is_decided_is_told_and_the_next_channel_publishes_on_before_the_broker_is_back(boolean committed)
            throws Exception {
        Job first = job(healthy());
        Job sick = job(sick());
        Job next = job(healthy());
        leaveBehind(List.of(first, sick), committed);
        Progress progress = decided().progress();
        assertThat(progress).isEqualTo(committed ? Progress.of(0, 1, List.of(first, sick)) : Progress.NONE);
        try (Publisher.Session session = publisher().open(LANE, 2, 1).orThrow()) {
            assertThat(session.progress()).hasValue(progress.under(1));
            assertThat(publisher().peek(LANE)).hasValue(progress.under(1));
            Outcome outcome = session.publish(new Batch(progress.batch() + 1, List.of(next, job(sick()))));
            assertThat(outcome.refusedTopics()).containsOnlyKeys(sick());
            assertThat(outcome.published()).containsExactly(next);
        }
        assertThat(visible(healthy())).isEqualTo(committed ? ids(first, next) : ids(next));
        mend();
        Eventually.until("it is ended everywhere", () -> {
            try (Publisher.Session session = publisher().open(LANE, 3, 0).orThrow()) {
                assertThat(session.progress()).hasValue(Progress.of(1, progress.batch() + 1, List.of(next)));
                return true;
            } catch (ExternalFailureException notYet) {
                return false;
            }
        });
        assertThat(visible(sick())).isEqualTo(committed ? ids(sick) : List.of());
        assertThat(visible(healthy())).isEqualTo(committed ? ids(first, next) : ids(next));
    }
}
