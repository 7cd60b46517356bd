package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Ledger.Fact;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;

/** The simulator's Kafka keeps the contract of the real one. */
class ModelBrokerTest implements PublisherContract, ChannelContract {

    private static final int LANE = PublisherContract.LANE;

    private final CalmWorld world = new CalmWorld();
    private final Ledger ledger = new Ledger();
    private final ModelBroker broker = new ModelBroker(world, ledger, new ModelStore(world, ledger, 8), 8);
    private final Publisher publisher = broker.client(new CalmWorld.Process());
    private final Publisher another = broker.client(new CalmWorld.Process());
    private final List<Fact> facts = new ArrayList<>();

    ModelBrokerTest() {
        broker.topic(topic(), true);
        broker.topic(missing(), false);
        broker.topic(sick(), true);
        world.meanwhile(this::writeMarkers);
    }

    @Override
    public Publisher publisher() {
        return publisher;
    }

    @Override
    public Publisher another() {
        return another;
    }

    @Override
    public String topic() {
        return "topic";
    }

    @Override
    public String healthy() {
        return topic();
    }

    @Override
    public String sick() {
        return "sick";
    }

    @Override
    public void leaveBehind(List<Job> jobs, boolean committed) {
        Publisher.Session owner = another.open(LANE, 1, 0).orThrow();
        world.atNextCommit(() -> broker.sicken(sick()), committed ? World.Fate.UNANSWERED : World.Fate.LOST);
        assertThat(owner.publish(new Batch(1, jobs)).failure()).isNotNull();
        owner.close();
    }

    @Override
    public void mend() {
        broker.heal();
    }

    private void writeMarkers() {
        boolean more = true;
        while (more) {
            more = broker.writeMarker();
        }
    }

    @Override
    public String missing() {
        return "missing";
    }

    @Override
    public void create(String topic) {
        broker.topic(topic, true);
    }

    @Override
    public Job job(String topic) {
        return staged(topic).job;
    }

    @Override
    public Job tooLarge() {
        broker.topic("narrow", true);
        Fact fact = staged("narrow");
        fact.refused = true;
        fact.suspect = true;
        return fact.job;
    }

    private Fact staged(String topic) {
        long id = facts.size() + 1;
        Fact fact =
                new Fact(new Job(id, UUID.randomUUID(), topic, "k", "job", null, null, Instant.EPOCH), LANE, List.of());
        fact.committed = true;
        facts.add(fact);
        ledger.staged(fact);
        return fact;
    }

    /** Whoever reads what is committed waits for the markers of what is decided. */
    @Override
    public List<UUID> visible(String topic) {
        return facts.stream()
                .filter(fact -> fact.published && fact.job.topic().equals(topic))
                .sorted(Comparator.comparingLong(fact -> fact.position))
                .map(fact -> fact.job.jobId())
                .toList();
    }
}
