package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A Spring Boot application with namastack-outbox; the settings are in {@code benchmarks/peers/namastack}. */
record NamastackRelay() implements Relay {

    private static final Peer PEER = new Peer("namastack");
    private static final String PACKAGE = "io.stagedjobs.benchmarks.namastack.";

    /**
     * A key always has the same one of the 256 partitions. The library computes it otherwise, which matters only to
     * several instances: one has all partitions.
     */
    private static final String PARTITION = "hashtext(job_key) & 255";

    @Override
    public String label() {
        return PEER.name();
    }

    @Override
    public void install(TestDatabase database) {
        PEER.install(PACKAGE + "NamastackTables", database);
    }

    /** The time of creation is what orders the records of a key: it is another one for each row. */
    @Override
    public String insert() {
        return "INSERT INTO outbox_record (id, status, record_key, record_type, payload, created_at, failure_count,"
                + " next_retry_at, partition_no, handler_id)"
                + " SELECT gen_random_uuid(), 'NEW', job_key, 'java.lang.String', payload, clock_timestamp(), 0,"
                + " now(), " + PARTITION + ", '" + PACKAGE
                + "KafkaSender#handle(java.lang.String,io.namastack.outbox.handler.OutboxRecordMetadata)'";
    }

    @Override
    public Optional<String> analyzed() {
        return Optional.of("outbox_record");
    }

    @Override
    public ChildProcess start(Launch launch) {
        TestDatabase database = launch.database();
        return PEER.start(
                PACKAGE + "NamastackApplication",
                launch.jvm(),
                List.of(),
                Map.of(
                        "DATABASE_URL", database.url(),
                        "DATABASE_USERNAME", database.username(),
                        "DATABASE_PASSWORD", database.password(),
                        "BOOTSTRAP_SERVERS", launch.bootstrapServers(),
                        "TOPIC", launch.topic()));
    }
}
