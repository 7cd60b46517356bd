package io.stagedjobs.demo;

import static org.jooq.Records.mapping;

import com.fasterxml.jackson.databind.JsonNode;
import io.stagedjobs.sample.PublishedJob;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.sql.DataSource;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.jooq.Field;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Compares the stored rows with Kafka's records: each row of {@code user_actions} must have exactly one record, and the
 * records of a key must be in the order of the actions.
 *
 * <p>It trusts no counters. It reads the rows from PostgreSQL, and all records anew, with a {@code read_committed}
 * reader without a group.
 *
 * <p>Run it when nobody writes and the enqueuer has drained: an action whose job still waits counts as lost. It reads
 * the records before the rows, so that an action committed in between never counts as invented.
 */
public final class Auditor {

    private static final Field<Long> ID = DSL.field("id", SQLDataType.BIGINT);
    private static final Field<Long> USER_ID = DSL.field("user_id", SQLDataType.BIGINT);
    private static final Field<String> ACTION = DSL.field("action", SQLDataType.CLOB);

    private static final Duration READ_MAX = Duration.ofSeconds(60);
    private static final Duration POLL_MAX = Duration.ofMillis(200);

    private final DataSource dataSource;
    private final String bootstrapServers;
    private final String topic;

    /**
     * The names that the sample stages. A record with another name is not the sample's, and proves nothing about it.
     */
    private static final Set<String> NAMES = Set.of("user.created", "user.renamed");

    /** A row of {@code user_actions}. */
    private record Action(long id, long userId, String name) {

        /** Whether a record reports exactly this action, as the enqueuer would have published it. */
        boolean isToldBy(PublishedJob job) {
            return Long.toString(userId).equals(job.key()) && ("user." + name).equals(job.type()) && job.id() != null;
        }

        @Override
        public String toString() {
            return "action " + id + " (" + name + ", user " + userId + ")";
        }
    }

    public Auditor(DataSource dataSource, String bootstrapServers, String topic) {
        this.dataSource = dataSource;
        this.bootstrapServers = bootstrapServers;
        this.topic = topic;
    }

    /**
     * Reads both sides and compares them.
     *
     * @throws IllegalStateException if the topic could not be read to its end within a minute
     */
    public AuditReport audit() {
        List<PublishedJob> jobs = readJobs();
        Comparison comparison = new Comparison(readActions());
        jobs.forEach(comparison::add);
        return comparison.report();
    }

    private Map<Long, Action> readActions() {
        Map<Long, Action> actions = new LinkedHashMap<>();
        DSL.using(dataSource, SQLDialect.POSTGRES)
                .select(ID, USER_ID, ACTION)
                .from("user_actions")
                .orderBy(ID)
                .fetch(mapping(Action::new))
                .forEach(action -> actions.put(action.id(), action));
        return actions;
    }

    private List<PublishedJob> readJobs() {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrapServers,
                "isolation.level", "read_committed",
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false",
                "allow.auto.create.topics", "false",
                "default.api.timeout.ms", (int) READ_MAX.toMillis());
        List<PublishedJob> jobs = new ArrayList<>();
        try (KafkaConsumer<@Nullable String, byte @Nullable []> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(partition -> new TopicPartition(topic, partition.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = highWatermarks(partitions);
            long deadline = System.nanoTime() + READ_MAX.toNanos();
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.getOrDefault(p, 0L))) {
                if (System.nanoTime() - deadline > 0) {
                    throw new IllegalStateException("could not read topic " + topic + " to its end within "
                            + READ_MAX.toSeconds() + " s, got " + jobs.size() + " records");
                }
                consumer.poll(POLL_MAX).forEach(record -> jobs.add(new PublishedJob(record)));
            }
        }
        jobs.sort(Comparator.comparing((PublishedJob job) -> job.kafka().partition())
                .thenComparing(job -> job.kafka().offset()));
        return jobs;
    }

    /**
     * Kafka answers a commit before it writes the transaction's markers, so the end for a {@code read_committed} reader
     * may still be before committed records. This end is behind all of them, and reading waits for the markers.
     */
    private Map<TopicPartition, Long> highWatermarks(List<TopicPartition> partitions) {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", bootstrapServers, "isolation.level", "read_uncommitted");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            return consumer.endOffsets(partitions, READ_MAX);
        }
    }

    /** Takes records one by one, each partition's in the order of their offsets, and records the errors. */
    private static final class Comparison {
        private final Map<Long, Action> actions;
        private final List<String> invented = new ArrayList<>();
        private final List<String> repeated = new ArrayList<>();
        private final List<String> overtaken = new ArrayList<>();
        private final List<Duration> lags = new ArrayList<>();
        private int records;
        private int others;
        private final Set<Long> told = new HashSet<>();
        private final Set<@Nullable String> ids = new HashSet<>();
        private final Map<Long, Told> lastOfUser = new HashMap<>();

        private record Told(Action action, int partition) {}

        Comparison(Map<Long, Action> actions) {
            this.actions = actions;
        }

        void add(PublishedJob job) {
            @Nullable Long actionId = actionId(job);
            if (actionId == null && job.type() != null && !NAMES.contains(job.type())) {
                others++;
                return;
            }
            records++;
            @Nullable Action action = actionId == null ? null : actions.get(actionId);
            if (action == null) {
                invented.add(job.position() + ": " + job.type() + " with id " + job.id() + " tells of action "
                        + actionId + ", which is not stored");
            } else if (!action.isToldBy(job)) {
                invented.add(job.position() + ": " + job.type() + " with key " + job.key() + " and id " + job.id()
                        + " names " + action + ", but was never staged so");
            } else {
                addTold(job, action);
            }
        }

        /** The number {@code actionId} in the JSON payload. */
        private static @Nullable Long actionId(PublishedJob job) {
            @Nullable JsonNode json = job.payload(JsonNode.class);
            @Nullable JsonNode id = json == null ? null : json.get("actionId");
            return id != null && id.canConvertToLong() && id.isIntegralNumber() ? id.longValue() : null;
        }

        private void addTold(PublishedJob job, Action action) {
            boolean actionIsNew = told.add(action.id());
            boolean idIsNew = ids.add(job.id());
            if (!actionIsNew || !idIsNew) {
                repeated.add(job.position() + ": " + (actionIsNew ? "id " + job.id() : action) + " a second time");
                return;
            }
            checkOrder(job, action);
            @Nullable Instant stagedAt = job.stagedAt();
            if (stagedAt != null) {
                lags.add(Duration.between(
                        stagedAt, Instant.ofEpochMilli(job.kafka().timestamp())));
            }
        }

        private void checkOrder(PublishedJob job, Action action) {
            @Nullable
            Told before =
                    lastOfUser.put(action.userId(), new Told(action, job.kafka().partition()));
            if (before == null) {
                return;
            }
            if (before.partition() != job.kafka().partition()) {
                overtaken.add(job.position() + ": " + action + " is on another partition than " + before.action()
                        + ", and nothing orders two partitions");
            } else if (before.action().id() > action.id()) {
                overtaken.add(
                        job.position() + ": " + action + " comes after " + before.action() + ", which happened later");
            }
        }

        AuditReport report() {
            List<String> lost = actions.values().stream()
                    .filter(action -> !told.contains(action.id()))
                    .map(action -> action + " has no record")
                    .toList();
            return new AuditReport(actions.size(), records, others, lost, invented, repeated, overtaken, lags);
        }
    }
}
