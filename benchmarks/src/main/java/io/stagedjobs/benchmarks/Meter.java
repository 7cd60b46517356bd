package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * What a relay, PostgreSQL and the broker use and do between two moments. Its questions lie outside the time whose
 * processor time counts. One thread.
 */
final class Meter implements AutoCloseable {

    /** What PostgreSQL needs, to count statements. */
    static final Map<String, String> POSTGRES = Map.of("shared_preload_libraries", "pg_stat_statements");

    /** One segment for a whole run: in an older one the cleaner removes what has not been counted yet. */
    static final Map<String, String> KAFKA = Map.of("transaction.state.log.segment.bytes", "1073741824");

    /** A prepared COMMIT is counted at its first execution only, a BEGIN always: its end is counted with it. */
    private static final String STATEMENTS =
            " (SELECT sum(CASE WHEN query ~* '^(BEGIN|START)' THEN 2 * calls WHEN query ~* '^(COMMIT|ROLLBACK|END)'"
                    + " THEN 0 ELSE calls END) FROM pg_stat_statements WHERE dbid = datid)";

    private static final String TRANSACTION_LOG = "__transaction_state";

    /** In a record of that log: behind a version, the producer's id and epoch, and its timeout. */
    private static final int STATUS_AT = Short.BYTES + Long.BYTES + Short.BYTES + Integer.BYTES;

    private static final byte COMPLETE_COMMIT = 4;
    private static final Duration POLL_MAX = Duration.ofMillis(200);

    /** Bytes of the write-ahead log, of the whole server; statements and transactions of the measured database. */
    private record Database(double wal, double statements, double transactions) {}

    /** Seconds of processor time up to a moment of {@link System#nanoTime}. */
    private record Processors(long at, double relay, double postgres, double broker) {}

    private final Servers servers;
    private final String database;
    private final ChildProcess relay;
    /** To another database, so that what is counted in the measured one is not ours. */
    private final Connection connection;

    private final KafkaConsumer<byte[], byte[]> transactionLog;
    private Map<TopicPartition, Long> logBefore;
    private Database databaseBefore;
    private Processors before;

    /** Begins to measure. */
    Meter(Servers servers, TestDatabase database, ChildProcess relay) throws SQLException {
        this.servers = servers;
        this.database = database.name();
        this.relay = relay;
        connection = servers.postgres.database("postgres").connect();
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
        }
        transactionLog = new KafkaConsumer<>(
                Map.of("bootstrap.servers", servers.kafka.bootstrapServers()),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
        logBefore = logEnds();
        databaseBefore = database();
        before = processors();
    }

    /**
     * Tells what was used and done since {@code this} was made, for so many jobs; returns the processor time of all.
     */
    double stop(Figures figures, String label, int jobs) throws SQLException {
        Processors now = processors();
        Database databaseNow = database();
        double seconds = (now.at - before.at) / 1e9;
        double scale = 100 / seconds;
        double relays = scale * (now.relay - before.relay);
        double postgres = scale * (now.postgres - before.postgres);
        double broker = scale * (now.broker - before.broker);
        figures.add(label, "committed/s", jobs / seconds);
        figures.add(label, "relay, % of a core", relays);
        figures.add(label, "PostgreSQL", postgres);
        figures.add(label, "broker", broker);
        figures.add(label, "sum", relays + postgres + broker);
        figures.add(label, "WAL, bytes a job", (databaseNow.wal - databaseBefore.wal) / jobs);
        figures.add(label, "statements/s", (databaseNow.statements - databaseBefore.statements) / seconds);
        figures.add(
                label, "PostgreSQL transactions/s", (databaseNow.transactions - databaseBefore.transactions) / seconds);
        figures.add(label, "Kafka transactions/s", kafkaTransactions() / seconds);
        return relays + postgres + broker;
    }

    private Processors processors() {
        return new Processors(
                System.nanoTime(),
                CpuTime.seconds(relay.pid()),
                CpuTime.seconds(servers.postgresPid()),
                CpuTime.seconds(servers.kafkaPid()));
    }

    private Database database() throws SQLException {
        try (PreparedStatement select =
                connection.prepareStatement("SELECT pg_current_wal_lsn() - '0/0', xact_commit + xact_rollback,"
                        + STATEMENTS + " FROM pg_stat_database WHERE datname = ?")) {
            select.setString(1, database);
            try (ResultSet row = select.executeQuery()) {
                row.next();
                return new Database(row.getDouble(1), row.getDouble(3), row.getDouble(2));
            }
        }
    }

    /** None while nobody has used transactions: then there is no such topic. */
    private Map<TopicPartition, Long> logEnds() {
        transactionLog.assign(transactionLog.partitionsFor(TRANSACTION_LOG).stream()
                .map(info -> new TopicPartition(info.topic(), info.partition()))
                .toList());
        return transactionLog.endOffsets(transactionLog.assignment());
    }

    /** How many the coordinator has written down as committed in all their partitions. */
    private int kafkaTransactions() {
        Map<TopicPartition, Long> ends = logEnds();
        ends.keySet().forEach(partition -> transactionLog.seek(partition, logBefore.getOrDefault(partition, 0L)));
        int committed = 0;
        while (ends.entrySet().stream().anyMatch(end -> transactionLog.position(end.getKey()) < end.getValue())) {
            for (ConsumerRecord<byte[], byte[]> record : transactionLog.poll(POLL_MAX)) {
                boolean within = record.offset() < ends.get(new TopicPartition(record.topic(), record.partition()));
                if (within && record.value() != null && record.value()[STATUS_AT] == COMPLETE_COMMIT) {
                    committed++;
                }
            }
        }
        return committed;
    }

    @Override
    public void close() throws SQLException {
        transactionLog.close();
        connection.close();
    }
}
