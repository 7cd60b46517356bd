package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.OutsideException.Side;
import io.stagedjobs.enqueuer.Progress.JobRef;
import io.stagedjobs.enqueuer.Refusal.Reason;
import io.stagedjobs.enqueuer.World.Caller;
import io.stagedjobs.enqueuer.World.Fate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Kafka as the lane protocol sees it. Each lane has one transactional producer; opening it takes a new epoch, aborts what an
 * older one has open, and waits for what is decided already. A commit is decided first and becomes readable later. Requests that
 * belong to a transaction of an older epoch are refused (transactions version 2: an epoch a transaction).
 */
class ModelBroker {

    private static final Duration PUBLISH_TIMEOUT = Duration.ofSeconds(10);
    private static final Refusal MISSING = new Refusal(Reason.TOPIC_MISSING, "missing");
    private static final Refusal TOO_LARGE = new Refusal(Reason.TOO_LARGE, "too large");

    enum State {
        OPEN,
        /** Committed, though no reader can see it yet. */
        DECIDED,
        ENDED
    }

    static final class Transaction {
        final Caller client;
        final Lane lane;
        final List<Job> records = new ArrayList<>();
        final List<Long> positions = new ArrayList<>();
        Progress progress;
        State state = State.OPEN;

        Transaction(Caller client, Lane lane) {
            this.client = client;
            this.lane = lane;
        }
    }

    static final class Lane {
        final int number;
        long epoch;
        /** Not yet readable to a read_committed reader, nor aborted. */
        final List<Transaction> pending = new ArrayList<>();

        Progress readable = Progress.NONE;

        Lane(int number) {
            this.number = number;
        }
    }

    private final World world;
    private final Ledger ledger;
    private final ModelStore store;
    private final List<Lane> lanes = new ArrayList<>();
    private final Map<String, Boolean> topics = new TreeMap<>();
    /** Transactions whose commit request is still on its way. */
    final List<Transaction> late = new ArrayList<>();

    private long positions;

    ModelBroker(World world, Ledger ledger, ModelStore store, int lanes) {
        this.world = world;
        this.ledger = ledger;
        this.store = store;
        for (int i = 0; i < lanes; i++) {
            this.lanes.add(new Lane(i));
        }
    }

    // What happens to the cluster.

    void topic(String name, boolean writable) {
        topics.put(name, writable);
    }

    boolean changeTopic() {
        String name = world.oneOf(List.copyOf(topics.keySet()));
        topics.put(name, !topics.get(name));
        world.note("Kafka", "topic " + name + " writable:", topics.get(name));
        return true;
    }

    void allTopicsWritable() {
        topics.replaceAll((name, writable) -> true);
    }

    /** A commit request arrives late, or never. */
    boolean deliverLateRequest() {
        if (late.isEmpty()) {
            return false;
        }
        Transaction transaction = world.oneOf(late);
        late.remove(transaction);
        boolean arrives = world.chance(transaction.client.crashed() ? 0.5 : 0.8);
        world.note("Kafka", "a late commit arrives: " + arrives + ", its transaction is", transaction.state);
        if (arrives && transaction.state == State.OPEN) {
            decide(transaction);
        }
        return true;
    }

    /** What was decided becomes readable. */
    boolean writeMarkers() {
        for (Lane lane : lanes) {
            for (Transaction transaction : lane.pending) {
                if (transaction.state == State.DECIDED) {
                    complete(transaction);
                    return true;
                }
            }
        }
        return false;
    }

    /** The coordinator aborts a transaction that was open for too long, with a new epoch. */
    boolean timeOut() {
        for (Lane lane : lanes) {
            for (Transaction transaction : lane.pending) {
                if (transaction.state == State.OPEN) {
                    world.note("Kafka", "times out the transaction of", transaction.client);
                    lane.epoch++;
                    abort(transaction);
                    return true;
                }
            }
        }
        return false;
    }

    void decide(Transaction transaction) {
        transaction.state = State.DECIDED;
        ledger.kafkaCommitted(
                transaction.lane.number, transaction.records, transaction.positions, transaction.progress);
    }

    private void complete(Transaction transaction) {
        transaction.state = State.ENDED;
        transaction.lane.pending.remove(transaction);
        transaction.lane.readable = transaction.progress;
    }

    private void abort(Transaction transaction) {
        transaction.state = State.ENDED;
        transaction.lane.pending.remove(transaction);
    }

    // What an enqueuer asks.

    Publisher client(Caller caller) {
        return new Client(caller);
    }

    /** Ends what an earlier producer has open, and waits for what is decided already. */
    void fence(Caller by, Lane lane) {
        lane.epoch++;
        world.note(by, "fences lane " + lane.number + ", epoch", lane.epoch);
        lane.pending.stream()
                .filter(transaction -> transaction.state == State.OPEN)
                .toList()
                .forEach(ModelBroker.this::abort);
        if (!world.await("waits for markers", lane.pending::isEmpty, PUBLISH_TIMEOUT)) {
            throw outside("the transaction before did not end");
        }
    }

    /** A producer begins a transaction; it cannot before its last one is decided. */
    void endBefore(Transaction last) {
        if (last.state == State.DECIDED) {
            complete(last);
        }
    }

    /** A commit request arrives, or does not; returns whether it was answered. */
    boolean commit(Transaction transaction) {
        Fate fate = world.fateOfCommit();
        switch (fate) {
            case DONE, UNANSWERED -> decide(transaction);
            case LOST -> {}
            case LATE -> late.add(transaction);
        }
        if (transaction.state == State.DECIDED && world.chance(0.5)) {
            complete(transaction);
        }
        return fate == Fate.DONE;
    }

    private static OutsideException outside(String what) {
        return new OutsideException(Side.KAFKA, what, null);
    }

    private final class Client implements Publisher {
        private final Caller me;
        /** Topics that were found writable are not asked about again until something fails. */
        private final Set<String> known = new HashSet<>();

        Client(Caller me) {
            this.me = me;
        }

        @Override
        public void check(int lanes) {}

        @Override
        public Optional<Progress> peek(int lane) {
            world.step("peeks at the progress of lane", lane);
            mayFail();
            return Optional.of(lanes.get(lane).readable);
        }

        @Override
        public Session open(int number, long generation) {
            Lane lane = lanes.get(number);
            world.step("opens a producer for lane", number);
            Fate fate = world.fate();
            if (fate == Fate.LOST) {
                throw outside("not reached");
            }
            fence(me, lane);
            if (fate != Fate.DONE) {
                throw outside("no answer");
            }
            long epoch = lane.epoch;
            world.step("reads the progress with epoch", epoch);
            mayFail();
            return new Producer(me, lane, epoch, lane.readable, known);
        }

        @Override
        public Map<String, Refusal> refused(Set<String> asked) {
            world.step("asks for topics", asked);
            mayFail();
            return refusedNow(asked, known);
        }

        private void mayFail() {
            if (world.fate() != Fate.DONE) {
                throw outside("no answer");
            }
        }

        @Override
        public void close() {}
    }

    private Map<String, Refusal> refusedNow(Set<String> asked, Set<String> known) {
        Map<String, Refusal> refused = new HashMap<>();
        for (String topic : new TreeSet<>(asked)) {
            if (!known.contains(topic)) {
                if (topics.get(topic)) {
                    known.add(topic);
                } else {
                    refused.put(topic, MISSING);
                }
            }
        }
        return refused;
    }

    private final class Producer implements Publisher.Session {
        private final Caller me;
        private final Lane lane;
        private final long epoch;
        private final Progress progress;
        private final Set<String> known;
        private Transaction last;

        Producer(Caller me, Lane lane, long epoch, Progress progress, Set<String> known) {
            this.me = me;
            this.lane = lane;
            this.epoch = epoch;
            this.progress = progress;
            this.known = known;
        }

        @Override
        public Optional<Progress> progress() {
            return Optional.of(progress);
        }

        @Override
        public Outcome publish(Batch batch) {
            world.step("asks for the topics of batch", batch.number());
            if (world.fate() != Fate.DONE) {
                return failed("no answer about topics");
            }
            Set<String> wanted = new HashSet<>();
            batch.jobs().forEach(job -> wanted.add(job.topic()));
            Map<String, Refusal> refused = refusedNow(wanted, known);
            List<Job> accepted = together(batch.jobs().stream()
                    .filter(job -> !refused.containsKey(job.topic()))
                    .toList());
            return accepted.isEmpty() ? Outcome.refused(refused) : inOneTransaction(batch, accepted, refused);
        }

        private List<Job> together(List<Job> jobs) {
            for (int i = 0; i < jobs.size(); i++) {
                if (ledger.of(jobs.get(i)).suspect) {
                    return jobs.subList(0, Math.max(1, i));
                }
            }
            return jobs;
        }

        private Outcome inOneTransaction(Batch batch, List<Job> jobs, Map<String, Refusal> refusedBefore) {
            Map<String, Refusal> refusedTopics = new HashMap<>(refusedBefore);
            Map<Long, Refusal> refusedJobs = new HashMap<>();
            Transaction transaction = null;
            boolean refusing = false;
            for (Job job : jobs) {
                if (transaction == null || world.chance(0.3)) {
                    world.step("sends", job.name());
                }
                if (transaction == null) {
                    if (isFenced()) {
                        return failed("fenced");
                    }
                    transaction = begin();
                }
                if (isFenced() || transaction.state != State.OPEN || world.fate() != Fate.DONE) {
                    return failed("not acknowledged");
                }
                if (topics.get(job.topic()) && !ledger.of(job).isRefused()) {
                    transaction.records.add(job);
                    transaction.positions.add(++positions);
                } else if (!refusing || world.chance(0.5)) {
                    // After the first refusal the producer may or may not tell what else is wrong.
                    refusing = true;
                    if (topics.get(job.topic())) {
                        refusedJobs.put(job.id(), TOO_LARGE);
                    } else {
                        refusedTopics.put(job.topic(), MISSING);
                    }
                }
            }
            if (refusing) {
                return takenBack(transaction, refusedTopics, refusedJobs);
            }
            transaction.progress = new Progress(
                    batch.number(),
                    jobs.stream().map(job -> JobRef.of(job.id(), job.jobId())).toList());
            return committed(transaction) ? new Outcome(jobs, refusedBefore, Map.of(), null) : failed("commit");
        }

        private boolean isFenced() {
            return epoch < lane.epoch;
        }

        private Transaction begin() {
            if (last != null) {
                endBefore(last);
            }
            ledger.kafkaTransactionBegins(lane.number, store);
            last = new Transaction(me, lane);
            lane.pending.add(last);
            return last;
        }

        private Outcome takenBack(
                Transaction transaction, Map<String, Refusal> refusedTopics, Map<Long, Refusal> refusedJobs) {
            known.clear();
            world.step("aborts, refused are", refusedJobs.keySet());
            if (isFenced() || world.fate() != Fate.DONE) {
                return failed("abort");
            }
            abort(transaction);
            return new Outcome(List.of(), refusedTopics, refusedJobs, null);
        }

        private boolean committed(Transaction transaction) {
            world.commitStep("commits in Kafka batch", transaction.progress.batch());
            return !isFenced() && transaction.state == State.OPEN && commit(transaction);
        }

        private Outcome failed(String why) {
            known.clear();
            world.note(me, "could not publish:", why);
            return Outcome.failed(why);
        }

        @Override
        public void close() {}
    }
}
