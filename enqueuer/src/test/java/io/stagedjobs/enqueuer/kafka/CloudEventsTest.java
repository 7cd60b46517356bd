package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Refusal;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CloudEventsTest {

    private final CloudEvents cloudEvents = new CloudEvents("/test");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "2026-11-21T22:05:10Z",
                "2026-11-21T22:05:10.120Z",
                "2026-11-21T22:05:10.000001Z",
                "2026-11-21T22:05:10.000000001Z",
                "2026-11-21T00:00:00.999999Z",
                "1969-12-31T23:59:59.5Z",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999Z"
            })
    void a_time_is_written_as_java_writes_it(String time) throws Exception {
        Instant instant = Instant.parse(time);
        assertThat(cloudEvents.time(instant)).isEqualTo(instant.toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0000-12-31T23:59:59.999999Z",
                "-0044-03-15T12:00:00.25Z",
                "+10000-01-01T00:00:00Z",
                "+294277-01-09T04:00:54.775807Z"
            })
    void a_job_of_a_time_that_rfc_3339_cannot_say_is_refused_alone(String time) {
        assertRefusedAlone(job(2, null, Instant.parse(time)), "between the years 1 and 9999");
    }

    static List<Arguments> headers_that_cannot_be_read() {
        return List.of(
                Arguments.of("{\"fine\": \"1\", \"roles\": [\"SECRET\"]}", "header 2 is no text"),
                Arguments.of("{\"SECRET\": []}", "header 1 is no text"),
                Arguments.of("{\"SECRET\": {\"a\": \"b\"}}", "header 1 is no text"),
                Arguments.of("{\"SECRET\": null}", "header 1 is no text"),
                Arguments.of("{\"SECRET\": 1}", "header 1 is no text"),
                Arguments.of("[\"SECRET\"]", "no JSON object"),
                Arguments.of("\"SECRET\"", "no JSON object"),
                Arguments.of("", "no JSON object"),
                Arguments.of("{\"a\": \"SECRET", "no valid JSON"),
                Arguments.of("{\"a\": \"SECRET\"} SECRET", "no valid JSON"),
                Arguments.of("{\"SECRET" + "x".repeat(60_000) + "\": \"1\"}", "no valid JSON"));
    }

    @ParameterizedTest
    @MethodSource("headers_that_cannot_be_read")
    void a_job_whose_headers_cannot_be_read_is_refused_alone_without_a_word_of_them(String headers, String why) {
        assertRefusedAlone(job(2, headers, Instant.EPOCH), why);
    }

    /** What is before it goes out without it, and it is refused when it is the next one. */
    private void assertRefusedAlone(Job bad, String why) {
        Job before = job(1, null, Instant.EPOCH);
        Job after = job(3, "{\"a\": \"b\"}", Instant.EPOCH);
        CloudEvents.Records first = cloudEvents.records(List.of(before, bad, after));
        assertThat(first.jobs()).containsExactly(before);
        assertThat(first.records()).hasSize(1);
        assertThat(first.refused()).isEmpty();

        CloudEvents.Records next = cloudEvents.records(List.of(bad, after));
        assertThat(next.jobs()).isEmpty();
        assertThat(next.records()).isEmpty();
        assertThat(next.refused()).containsOnlyKeys(2L);
        Refusal refusal = next.refused().get(2L);
        assertThat(refusal.reason()).isEqualTo(Refusal.Reason.REFUSED);
        assertThat(refusal.detail()).contains(why).doesNotContain("SECRET");
    }

    @Test
    void many_in_a_row_that_cannot_be_read_are_refused_at_once() {
        CloudEvents.Records records = cloudEvents.records(
                List.of(job(1, "[]", Instant.EPOCH), job(2, "{\"a\": 1}", Instant.EPOCH), job(3, null, Instant.EPOCH)));
        assertThat(records.jobs()).isEmpty();
        assertThat(records.refused()).containsOnlyKeys(1L, 2L);
    }

    private static Job job(long id, String headers, Instant stagedAt) {
        return new Job(id, UUID.randomUUID(), "topic", "k", "name", new byte[0], headers, stagedAt);
    }

    @Test
    void the_second_of_the_job_before_is_not_the_next_ones() throws Exception {
        cloudEvents.time(Instant.parse("2026-11-21T22:05:10.5Z"));
        assertThat(cloudEvents.time(Instant.parse("2026-11-21T22:05:11.5Z"))).isEqualTo("2026-11-21T22:05:11.500Z");
        assertThat(cloudEvents.time(Instant.parse("2026-11-21T22:05:10.25Z"))).isEqualTo("2026-11-21T22:05:10.250Z");
    }
}
