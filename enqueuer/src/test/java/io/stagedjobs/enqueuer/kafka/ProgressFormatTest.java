package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Progress.JobRef;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What a progress looks like in Kafka: whatever a release has written, every later one has to read. */
class ProgressFormatTest {

    private static final List<Job> JOBS =
            List.of(job(7, new UUID(1, 2)), job(70_000, new UUID(3, -1)), job(Long.MAX_VALUE, new UUID(5, 5)));

    private static final String BYTES = "01" // the format's version
            + "04" // channel 2
            + "d804" // batch 300
            + "06" // three jobs
            + "0e" // id 7
            + "d2c508" // 69 993 more
            + "9ebaf7ffffffffffff01" // up to the largest id
            + "0000000000000003"
            + "fffffffffffffffc"
            + "0000000000000000"; // a digest each

    private static Job job(long id, UUID jobId) {
        return new Job(id, jobId, "topic", null, "name", null, null, Instant.EPOCH);
    }

    @Test
    void the_bytes_of_a_progress_are_what_they_always_were() {
        assertThat(HexFormat.of().formatHex(ProgressFormat.encode(Progress.of(2, 300, JOBS))))
                .isEqualTo(BYTES);
        assertThat(HexFormat.of().formatHex(ProgressFormat.encode(Progress.of(0, 1, List.of()))))
                .isEqualTo("01000200");
    }

    @Test
    void what_was_written_is_read() throws Exception {
        Progress read = ProgressFormat.decode(HexFormat.of().parseHex(BYTES));
        assertThat(read.channel()).isEqualTo(2);
        assertThat(read.batch()).isEqualTo(300);
        assertThat(read.jobs())
                .containsExactly(new JobRef(7, 3), new JobRef(70_000, -4), new JobRef(Long.MAX_VALUE, 0));
    }

    @Test
    void an_entry_is_never_larger_than_is_said() throws Exception {
        Random random = new Random(7);
        List<Job> scattered = random.longs(1000)
                .mapToObj(id -> job(id, new UUID(random.nextLong(), random.nextLong())))
                .toList();
        byte[] bytes = ProgressFormat.encode(Progress.of(Integer.MAX_VALUE, Long.MAX_VALUE, scattered));
        assertThat(bytes.length).isLessThanOrEqualTo(ProgressFormat.bytesMax(1000));
        assertThat(ProgressFormat.decode(bytes).jobs())
                .containsExactlyElementsOf(scattered.stream()
                        .map(job -> JobRef.of(job.id(), job.jobId()))
                        .toList());
    }

    @Test
    void what_is_no_progress_is_told_and_breaks_nothing_else() {
        assertRefused(null, "no value");
        assertRefused(new byte[0], "ends too soon");
        assertRefused("hello".getBytes(java.nio.charset.StandardCharsets.UTF_8), "format 104");
        assertRefused(HexFormat.of().parseHex("0100ffffffffffffffffffffff06"), "number that is too long");
        assertRefused(HexFormat.of().parseHex("0100d804feffffff0f"), "2147483647 jobs");
        assertRefused(HexFormat.of().parseHex("0100d80401"), "-1 jobs");
        assertRefused(HexFormat.of().parseHex("0101d804"), "channel -1");
        assertRefused(HexFormat.of().parseHex(BYTES + "00"), "1 more byte");
        byte[] whole = HexFormat.of().parseHex(BYTES);
        for (int length = 1; length < whole.length; length++) {
            byte[] truncated = Arrays.copyOf(whole, length);
            assertThatThrownBy(() -> ProgressFormat.decode(truncated))
                    .isInstanceOf(ProgressFormat.UnreadableException.class);
        }
    }

    private static void assertRefused(byte[] bytes, String why) {
        assertThatThrownBy(() -> ProgressFormat.decode(bytes))
                .isInstanceOf(ProgressFormat.UnreadableException.class)
                .hasMessageContaining(why);
    }
}
