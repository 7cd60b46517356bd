package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** One PostgreSQL and one broker, each a process of its own, for all measurements of a run. */
final class Servers implements AutoCloseable {

    /** Durable, with memory for what is measured; checkpoints are taken between the measurements. */
    static final Map<String, String> POSTGRES = Map.of(
            "fsync", "on",
            "full_page_writes", "on",
            "synchronous_commit", "on",
            "shared_buffers", "1GB",
            "max_wal_size", "8GB",
            "checkpoint_timeout", "30min",
            "max_prepared_transactions", "10");

    final TestPostgres postgres;
    final TestKafka kafka;

    /** @param relays which will be measured here: PostgreSQL gets the settings that any of them needs */
    Servers(List<Relay> relays) {
        this(relays, Map.of(), Map.of());
    }

    /** With further settings of PostgreSQL and of the broker. */
    Servers(List<Relay> relays, Map<String, String> ofPostgres, Map<String, String> ofKafka) {
        Map<String, String> settings = new HashMap<>(POSTGRES);
        settings.putAll(ofPostgres);
        relays.forEach(relay -> settings.putAll(relay.postgresSettings()));
        postgres = TestPostgres.startEmbedded(settings);
        kafka = TestKafka.startEmbedded(ofKafka);
    }

    long postgresPid() {
        try {
            return Long.parseLong(Files.readAllLines(postgres.dataDirectory().resolve("postmaster.pid"))
                    .get(0)
                    .trim());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    long kafkaPid() {
        return kafka.process().pid();
    }

    @Override
    public void close() {
        kafka.close();
        postgres.close();
    }
}
