package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** gruelbox transaction-outbox, flushed in a loop; the settings are in {@code benchmarks/peers/gruelbox}. */
record GruelboxRelay() implements Relay {

    private static final Peer PEER = new Peer("gruelbox");
    private static final String MAIN = "io.stagedjobs.benchmarks.gruelbox.GruelboxLoop";

    @Override
    public String label() {
        return PEER.name();
    }

    @Override
    public void install(TestDatabase database) {
        PEER.install(MAIN, database);
    }

    /** The call of {@code KafkaSender.send}, as the library's own serializer writes it. */
    @Override
    public String insert() {
        return "INSERT INTO txno_outbox (id, invocation, nextattempttime, attempts, blocked, processed, version)"
                + " SELECT gen_random_uuid(), '{\"c\":\"io.stagedjobs.benchmarks.gruelbox.KafkaSender\",\"m\":\"send\","
                + "\"p\":[\"String\",\"String\",\"String\"],\"a\":[{\"t\":\"String\",\"v\":' || to_json(topic)"
                + " || '},{\"t\":\"String\",\"v\":' || to_json(job_key)"
                + " || '},{\"t\":\"String\",\"v\":' || to_json(payload) || '}]}', now(), 0, false, false, 1";
    }

    @Override
    public Optional<String> analyzed() {
        return Optional.of("txno_outbox");
    }

    @Override
    public ChildProcess start(Launch launch) {
        TestDatabase database = launch.database();
        return PEER.start(
                MAIN,
                launch.jvm(),
                List.of(database.url(), database.username(), database.password(), launch.bootstrapServers()),
                Map.of());
    }
}
