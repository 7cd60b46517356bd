package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.Ledger.Fact;
import io.stagedjobs.enqueuer.Step.Kind;
import io.stagedjobs.enqueuer.World.Fate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * When a lane goes on under another channel, and when it waits for the broker. On the models of both stores, where a
 * broker dies at just the right moment; {@link SimulatorTest} tries all the other moments.
 */
class GoingOnTest {

    private static final int LANE = 0;

    private final CalmWorld world = new CalmWorld();
    private final Ledger ledger = new Ledger();
    private final ModelStore store = new ModelStore(world, ledger, 1);
    private final ModelBroker broker = new ModelBroker(world, ledger, store, 1);
    private final CalmWorld.Process process = new CalmWorld.Process();
    private final LaneRunner runner = runner(process);
    private final LaneRunner another = runner(new CalmWorld.Process());
    private final List<Fact> healthy = new ArrayList<>();

    @BeforeEach
    void acquire() {
        broker.topic("healthy", true);
        broker.topic("sick", true);
        world.meanwhile(() -> {
            boolean more = true;
            while (more) {
                more = broker.writeMarker();
            }
        });
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.IDLE);
        healthy.add(staged("healthy"));
        staged("sick");
    }

    private LaneRunner runner(CalmWorld.Process itsProcess) {
        Lanes lanes = store.client(itsProcess);
        return new LaneRunner(
                LANE,
                new Ports(lanes, broker.client(itsProcess)),
                new LaneContext(
                        LaneFixture.PLENTY,
                        Duration.ofSeconds(10),
                        new OperatorPauses(),
                        new CommitHorizon(lanes, world::nanoTime),
                        new HeldTopics(world::nanoTime),
                        new LaneReader.Background() {
                            @Override
                            public <T> Supplier<T> start(Supplier<T> task) {
                                T result = task.get();
                                return () -> result;
                            }
                        },
                        world::nanoTime),
                new Observers(
                        new Health(), new Meters(new SimpleMeterRegistry(), () -> 0, new Health(), world::nanoTime)),
                new Pace(
                        new Pace.Intervals(Duration.ofMillis(8), Duration.ofSeconds(2)),
                        world::nanoTime,
                        new Random(1)));
    }

    private Fact staged(String topic) {
        Job job = new Job(store.nextId(), UUID.randomUUID(), topic, "k", topic, null, null, Instant.EPOCH);
        Fact fact = new Fact(job, LANE, List.of());
        ledger.staged(fact);
        store.commit(List.of(fact), true);
        return fact;
    }

    /**
     * The broker of one topic dies when both records are there: just before Kafka has the commit, or does not get it.
     */
    private void brokerDiesInABatch(boolean committed) {
        world.atNextCommit(() -> broker.sicken("sick"), committed ? Fate.UNANSWERED : Fate.LOST);
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.FAILED);
        assertThat(store.channel(LANE)).isZero();
    }

    private void assertHealthyJobsFlow(LaneRunner owner) {
        healthy.add(staged("healthy"));
        for (int step = 0; step < 3; step++) {
            assertThat(owner.runOnce().kind()).isIn(Kind.MOVED, Kind.IDLE, Kind.BLOCKED);
        }
        assertThat(healthy).allMatch(fact -> fact.published);
        assertThat(ledger.violation()).isNull();
    }

    @Test
    void whoever_finds_a_batch_that_only_kafka_knows_goes_on() {
        brokerDiesInABatch(true);
        process.dead = true;
        assertHealthyJobsFlow(another);
        assertThat(store.channel(LANE)).isEqualTo(1);
        assertThat(broker.channel(LANE)).isEqualTo(1);
    }

    @Test
    void whoever_had_the_last_session_goes_on() {
        brokerDiesInABatch(false);
        assertHealthyJobsFlow(runner);
        assertThat(store.channel(LANE)).isEqualTo(1);
        assertThat(broker.channel(LANE)).isEqualTo(1);
    }

    @Test
    void whoever_had_the_last_session_but_not_every_generation_since_waits() {
        brokerDiesInABatch(false);
        store.client(process).take(LANE).orElseThrow();
        assertWaitsForTheBroker(runner);
    }

    @Test
    void another_one_waits_if_kafka_knows_no_more_than_the_database() {
        brokerDiesInABatch(false);
        process.dead = true;
        assertWaitsForTheBroker(another);
    }

    private void assertWaitsForTheBroker(LaneRunner owner) {
        for (int i = 0; i < 3; i++) {
            Step step = owner.runOnce();
            assertThat(step.kind()).isEqualTo(Kind.FAILED);
            assertThat(step.reason()).contains("did not end");
        }
        broker.heal();
        assertHealthyJobsFlow(owner);
        assertThat(store.channel(LANE)).isZero();
    }

    @Test
    void it_goes_on_again_when_another_broker_dies() {
        brokerDiesInABatch(false);
        assertHealthyJobsFlow(runner);
        broker.topic("sicker", true);
        staged("sicker");
        world.atNextCommit(() -> broker.sicken("sicker"), Fate.UNANSWERED);
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.FAILED);
        assertHealthyJobsFlow(runner);
        assertThat(store.channel(LANE)).isEqualTo(2);
    }
}
