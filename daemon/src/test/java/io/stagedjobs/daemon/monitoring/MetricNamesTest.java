package io.stagedjobs.daemon.monitoring;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Alerts, dashboard and the table of meters name what a running daemon really has at {@code /metrics}. */
class MetricNamesTest {

    private static final String TOKEN = "only-for-this-monitor";

    private static TestOutbox outbox;
    private static Set<String> scraped;

    @BeforeAll
    static void scrape() throws Exception {
        outbox = new TestOutbox("metrics");
        Map<String, String> environment = Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_DELIVERY",
                "exactly-once",
                "STAGED_JOBS_ADMIN_TOKEN_READONLY",
                TOKEN);
        Command.Daemon daemon = new Command.Daemon(outbox, "enqueuer", environment);
        String topic = outbox.kafka.newTopic("metrics");
        outbox.stage(topic, "k", "job");
        Command.awaitDrained(outbox);
        Eventually.until("the batch is counted", () -> metrics(daemon).contains("staged_jobs_published_total 1.0"));
        scraped = metrics(daemon)
                .lines()
                .filter(line -> !line.startsWith("#"))
                .map(line -> line.replaceFirst("[{ ].*", ""))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static String metrics(Command.Daemon daemon) throws Exception {
        return daemon.get("metrics", "Authorization", "Bearer " + TOKEN).body();
    }

    @AfterAll
    static void close() throws Exception {
        outbox.close();
    }

    @Test
    void alerts_and_dashboard_name_no_other_metric() throws Exception {
        assertThat(Monitoring.allMetrics())
                .hasSizeGreaterThan(15)
                .contains("staged_jobs_lag_seconds_bucket", "staged_jobs_aside", "hikaricp_connections_pending")
                .isSubsetOf(scraped);
    }

    @Test
    void the_table_names_each_metric_of_ours_and_no_other() throws Exception {
        List<Monitoring.Meter> meters = Monitoring.meters();
        assertThat(scraped)
                .filteredOn(metric -> metric.startsWith("staged_jobs_"))
                .allMatch(metric -> meters.stream().anyMatch(meter -> meter.has(metric)));
        assertThat(meters).allSatisfy(meter -> assertThat(meter.names()).allSatisfy(name -> assertThat(scraped)
                .anyMatch(metric -> metric.equals(name) || metric.equals(name + "_count"))));
    }
}
