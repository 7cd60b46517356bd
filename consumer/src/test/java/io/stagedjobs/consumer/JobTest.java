package io.stagedjobs.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import io.stagedjobs.Jackson2JsonCodec;
import io.stagedjobs.Jackson3JsonCodec;
import io.stagedjobs.JsonCodec;
import io.stagedjobs.UnreadablePayloadException;
import java.time.Instant;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;

class JobTest {

    private static final String ID = "dbfb74b4-3f76-40f8-b06e-2668938dad95";

    record User(String email, int age) {}

    private static ConsumerRecord<byte[], byte[]> record(String value, String... headers) {
        ConsumerRecord<byte[], byte[]> record = new ConsumerRecord<>(
                "users", 2, 7, "ada".getBytes(UTF_8), value == null ? null : value.getBytes(UTF_8));
        for (int i = 0; i < headers.length; i += 2) {
            record.headers().add(headers[i], headers[i + 1] == null ? null : headers[i + 1].getBytes(UTF_8));
        }
        return record;
    }

    private static ConsumerRecord<byte[], byte[]> user(String value) {
        return record(value, "ce_id", ID, "ce_type", "user.created");
    }

    @Test
    void a_record_is_a_job_with_the_parts_that_it_was_staged_with() {
        Job<byte[]> job = Job.from(record(
                "{}",
                "ce_specversion",
                "1.0",
                "ce_id",
                ID,
                "ce_source",
                "/staged-jobs/shop",
                "ce_type",
                "user.created",
                "ce_time",
                "2026-11-21T10:22:29.126385Z",
                "content-type",
                "application/json",
                "traceparent",
                "00-1-2-01",
                "tenant",
                "Ærø"));
        assertThat(job.id()).isEqualTo(UUID.fromString(ID));
        assertThat(job.topic()).isEqualTo("users");
        assertThat(job.partition()).isEqualTo(2);
        assertThat(job.offset()).isEqualTo(7);
        assertThat(job.key()).isEqualTo("ada");
        assertThat(job.name()).isEqualTo("user.created");
        assertThat(job.payload()).asString(UTF_8).isEqualTo("{}");
        assertThat(job.headers())
                .containsExactly(
                        entry("content-type", "application/json"),
                        entry("traceparent", "00-1-2-01"),
                        entry("tenant", "Ærø"));
        assertThat(job.header("tenant")).contains("Ærø");
        assertThat(job.stagedAt()).isEqualTo(Instant.parse("2026-11-21T10:22:29.126385Z"));
        assertThat(job).hasToString("job " + ID + " \"user.created\" (users-2@7)");
    }

    @Test
    void a_tombstone_and_a_record_without_key_or_time_are_jobs_too() {
        ConsumerRecord<String, byte[]> tombstone = new ConsumerRecord<>("users", 0, 0, null, null);
        tombstone.headers().add("ce_id", ID.getBytes(UTF_8)).add("ce_type", "gone".getBytes(UTF_8));
        Job<byte[]> job = Job.from(tombstone);
        assertThat(job.payload()).isNull();
        assertThat(job.key()).isNull();
        assertThat(job.stagedAt()).isNull();
        assertThatThrownBy(() -> job.as(User.class))
                .isInstanceOf(UnreadablePayloadException.class)
                .hasMessageContaining("it is a tombstone");
    }

    @Test
    void a_record_that_is_no_job_is_named_and_its_content_is_not_shown() {
        assertNotAJob("it has no header ce_id", "ce_type", "secret");
        assertNotAJob("it has no header ce_type", "ce_id", ID);
        assertNotAJob("it has no header ce_type", "ce_id", ID, "ce_type", null);
        assertNotAJob("its header ce_id is no UUID", "ce_id", "secret", "ce_type", "secret");
        assertNotAJob("its header ce_time is no time", "ce_id", ID, "ce_type", "secret", "ce_time", "secret");
    }

    private static void assertNotAJob(String why, String... headers) {
        assertThatThrownBy(() -> Job.from(record("secret", headers)))
                .isInstanceOf(NotAJobException.class)
                .hasMessageContaining("the record at offset 7 of partition users-2 is no job: " + why)
                .hasMessageNotContaining("secret");
    }

    @Test
    void its_json_becomes_an_object_by_jackson_2_and_by_jackson_3() {
        Job<byte[]> job = Job.from(user("{\"email\":\"ada@example.org\",\"age\":36}"));
        for (JsonCodec codec : new JsonCodec[] {new Jackson2JsonCodec(), new Jackson3JsonCodec()}) {
            Job<User> typed = job.as(User.class, codec);
            assertThat(typed.payload()).isEqualTo(new User("ada@example.org", 36));
            assertThat(typed.id()).isEqualTo(job.id());
            assertThatThrownBy(() -> typed.as(User.class, codec))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("already");
        }
        assertThat(job.as(User.class).payload().age()).isEqualTo(36);
    }

    @Test
    void json_that_does_not_fit_is_refused_with_the_place_and_without_the_value() {
        for (JsonCodec codec : new JsonCodec[] {new Jackson2JsonCodec(), new Jackson3JsonCodec()}) {
            for (String json : new String[] {"{\"age\":\"secret\"}", "secret", "{\"email\":\"secret", "null", ""}) {
                assertThatThrownBy(() -> Job.from(user(json)).as(User.class, codec))
                        .as(codec.getClass() + " " + json)
                        .isInstanceOf(UnreadablePayloadException.class)
                        .hasMessageContaining("cannot read the JSON as " + User.class.getName())
                        .hasMessageNotContaining("secret");
            }
        }
        assertThatThrownBy(() -> Job.from(user("{}")).as(User.class, value -> new byte[0]))
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining("only writes JSON");
    }
}
