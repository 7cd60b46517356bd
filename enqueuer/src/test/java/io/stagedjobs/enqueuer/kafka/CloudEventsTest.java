package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
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
                "-0044-03-15T12:00:00.25Z",
                "+12026-01-01T00:00:00Z"
            })
    void a_time_is_written_as_java_writes_it(String time) {
        Instant instant = Instant.parse(time);
        assertThat(cloudEvents.time(instant)).isEqualTo(instant.toString());
    }

    @Test
    void the_second_of_the_job_before_is_not_the_next_ones() {
        cloudEvents.time(Instant.parse("2026-11-21T22:05:10.5Z"));
        assertThat(cloudEvents.time(Instant.parse("2026-11-21T22:05:11.5Z"))).isEqualTo("2026-11-21T22:05:11.500Z");
        assertThat(cloudEvents.time(Instant.parse("2026-11-21T22:05:10.25Z"))).isEqualTo("2026-11-21T22:05:10.250Z");
    }
}
