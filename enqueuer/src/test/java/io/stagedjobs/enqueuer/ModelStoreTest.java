package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.Ledger.Fact;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;

/** The simulator's PostgreSQL keeps the contract of the real one. */
class ModelStoreTest implements LanesContract, LaneTransactionContract {

    private static final String KEY_ELSEWHERE = "elsewhere";

    private final CalmWorld world = new CalmWorld();
    private final Ledger ledger = new Ledger();
    private final ModelStore store = new ModelStore(world, ledger, 8);
    private final CalmWorld.Process mine = new CalmWorld.Process();
    private final Lanes lanes = store.client(mine);
    private final Lanes others = store.client(new CalmWorld.Process());
    private int writers;

    @Override
    public Lanes lanes() {
        return lanes;
    }

    @Override
    public Lanes others() {
        return others;
    }

    @Override
    public void dies() {
        mine.dead = true;
    }

    @Override
    public List<String> keys() {
        return List.of("k0", "k1");
    }

    @Override
    public String keyElsewhere() {
        return KEY_ELSEWHERE;
    }

    @Override
    public ModelWriter writer() {
        return new ModelWriter("writer " + ++writers);
    }

    @Override
    public <T> T whileItWaits(Callable<T> call, Runnable meanwhile) throws Exception {
        world.meanwhile(meanwhile);
        return call.call();
    }

    private final class ModelWriter implements Writer {
        private final String name;
        private final List<Fact> staged = new ArrayList<>();

        ModelWriter(String name) {
            this.name = name;
        }

        @Override
        public Row stage(String topic, String key, int payloadBytes) {
            store.lock(name);
            Job job = new Job(
                    store.nextId(), UUID.randomUUID(), topic, key, "job", new byte[payloadBytes], null, Instant.EPOCH);
            Fact fact = new Fact(job, KEY_ELSEWHERE.equals(key) ? OTHER_LANE : LANE, List.of());
            ledger.staged(fact);
            staged.add(fact);
            return Row.of(job);
        }

        @Override
        public void commit() {
            commitWithLocks();
            store.unlock(name);
        }

        /** Others see its rows; its locks it gives up a moment later. */
        void commitWithLocks() {
            store.over(name);
            store.commit(staged, true);
        }

        @Override
        public void close() {
            store.over(name);
            store.unlock(name);
        }
    }

    /** A moment that no test can hold on to on a real server: see any-over.sql. */
    @Test
    void a_writer_whose_rows_are_seen_is_over_though_it_still_has_its_locks() {
        long generation = taken();
        try (ModelWriter writer = writer();
                LaneTransaction transaction = lanes.begin(LANE, generation).orElseThrow()) {
            Row job = writer.stage(TOPIC, key(), 10);
            Set<String> writers = lanes.readHorizon().writers();
            writer.commitWithLocks();
            assertThat(lanes.readHorizon().writers()).isEqualTo(writers);
            assertThat(inLane(transaction)).containsExactly(job);
            assertThat(transaction.anyOver(writers)).isTrue();
        }
    }
}
