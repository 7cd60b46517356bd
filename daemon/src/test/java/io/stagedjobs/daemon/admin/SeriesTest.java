package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.distribution.CountAtBucket;
import org.junit.jupiter.api.Test;

class SeriesTest {

    private static CountAtBucket[] buckets(double... counts) {
        CountAtBucket[] buckets = new CountAtBucket[counts.length];
        for (int i = 0; i < counts.length; i++) {
            buckets[i] = new CountAtBucket((i + 1) * 1e9, counts[i]);
        }
        return buckets;
    }

    @Test
    void a_percentile_is_that_of_what_was_counted_since() {
        CountAtBucket[] before = buckets(100, 100, 100);
        CountAtBucket[] after = buckets(100, 150, 200);
        assertThat(Series.percentile(0.5, before, after)).isEqualTo(2.0);
        assertThat(Series.percentile(0.75, before, after)).isEqualTo(2.5);
        assertThat(Series.percentile(0.5, after, after)).isNull();
        assertThat(Series.percentile(0.5, new CountAtBucket[0], new CountAtBucket[0]))
                .isNull();
        assertThat(Series.percentile(0.5, new CountAtBucket[0], before)).isEqualTo(0.5);
    }

    @Test
    void a_backlog_drains_in_a_time_only_if_it_shrinks() {
        assertThat(new Series.Rates(100.0, 150.0, 30.0).timeToDrainSeconds(1000))
                .isEqualTo(20.0);
        assertThat(new Series.Rates(150.0, 100.0, 30.0).timeToDrainSeconds(1000))
                .isNull();
        assertThat(Series.Rates.UNKNOWN.timeToDrainSeconds(1000)).isNull();
        assertThat(Series.Rates.UNKNOWN.timeToDrainSeconds(0)).isZero();
    }
}
