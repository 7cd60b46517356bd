package io.stagedjobs.enqueuer;

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
 * Kafka as the lane protocol sees it. Each lane has a transactional id for each of its channels. Opening one takes a
 * new epoch, aborts what an older producer has open, and waits for what is decided already. An end is decided first;
 * then its markers come, one partition at a time and none where it is sick. Until the last one nobody is fenced and
 * nobody begins under that id. What is readable of the progress ends where a marker is missing. Requests that belong to
 * a transaction of an older epoch are refused (transactions version 2: an epoch a transaction). Each topic has one
 * partition; late requests of a closed producer are left out.
 */
class ModelBroker {

    private static final Duration PUBLISH_TIMEOUT = Duration.ofSeconds(10);
    private static final Refusal MISSING = new Refusal(Reason.TOPIC_MISSING, "missing");
    private static final Refusal SICK = new Refusal(Reason.TOPIC_UNAVAILABLE, "sick");
    private static final Refusal TOO_LARGE = new Refusal(Reason.TOO_LARGE, "too large");

    /** What the progress' partition is called among the topics. */
    static final String PROGRESS = "progress";

    enum State {
        OPEN,
        /** Committed or aborted for good, though some partition does not know yet. */
        DECIDED,
        ENDED
    }

    static final class Transaction {
        final Caller client;
        final Id id;
        final List<Job> records = new ArrayList<>();
        final List<Long> positions = new ArrayList<>();
        /** The partitions that it has written to, and where the end is missing. */
        final Set<String> partitions = new TreeSet<>();

        Progress progress;
        State state = State.OPEN;
        boolean committed;

        Transaction(Caller client, Id id) {
            this.client = client;
            this.id = id;
        }
    }

    /** A transactional id. */
    static final class Id {
        final Lane lane;
        final int channel;
        long epoch;
        Transaction last;

        Id(Lane lane, int channel) {
            this.lane = lane;
            this.channel = channel;
        }

        boolean isEnded() {
            return last == null || last.state == State.ENDED;
        }
    }

    static final class Lane {
        final int number;
        final List<Id> ids = new ArrayList<>();
        /** Not ended everywhere. */
        final List<Transaction> pending = new ArrayList<>();
        /** Those whose progress is not readable yet, in the order of their records there. */
        final List<Transaction> unreadable = new ArrayList<>();

        Progress readable = Progress.NONE;

        Lane(int number) {
            this.number = number;
        }

        Id id(int channel) {
            while (ids.size() <= channel) {
                ids.add(new Id(this, ids.size()));
            }
            return ids.get(channel);
        }
    }

    private final World world;
    private final Ledger ledger;
    private final ModelStore store;
    private final List<Lane> lanes = new ArrayList<>();
    private final Map<String, Boolean> topics = new TreeMap<>();
    private final Set<String> sick = new TreeSet<>();
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
        sick.clear();
    }

    /** The broker of a topic dies, or one is back. */
    boolean changeHealth() {
        if (!sick.isEmpty() && world.chance(0.4)) {
            heal();
        } else {
            sicken(world.oneOf(List.copyOf(topics.keySet())));
        }
        return true;
    }

    void sicken(String topic) {
        world.note("Kafka", "has lost the broker of", topic);
        sick.add(topic);
    }

    void heal() {
        world.note("Kafka", "has brokers again for", sick);
        sick.clear();
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

    /** An end that is decided reaches one more partition. */
    boolean writeMarker() {
        for (Lane lane : lanes) {
            for (Transaction transaction : lane.pending) {
                List<String> reached = reached(transaction);
                if (!reached.isEmpty()) {
                    mark(transaction, world.oneOf(reached));
                    return true;
                }
            }
        }
        return false;
    }

    private List<String> reached(Transaction transaction) {
        return transaction.state == State.DECIDED
                ? transaction.partitions.stream()
                        .filter(partition -> !sick.contains(partition))
                        .toList()
                : List.of();
    }

    private void mark(Transaction transaction, String partition) {
        transaction.partitions.remove(partition);
        if (transaction.partitions.isEmpty()) {
            transaction.state = State.ENDED;
            transaction.id.lane.pending.remove(transaction);
        }
        becomeReadable(transaction.id.lane);
    }

    private static void becomeReadable(Lane lane) {
        while (!lane.unreadable.isEmpty()) {
            Transaction first = lane.unreadable.get(0);
            if (first.partitions.contains(PROGRESS)) {
                return;
            }
            lane.readable = first.committed ? first.progress : lane.readable;
            lane.unreadable.remove(0);
        }
    }

    private void markWhatIsReached(Transaction transaction) {
        reached(transaction).forEach(partition -> mark(transaction, partition));
    }

    /** The coordinator aborts a transaction that was open for too long, with a new epoch. */
    boolean timeOut() {
        for (Lane lane : lanes) {
            for (Transaction transaction : lane.pending) {
                if (transaction.state == State.OPEN) {
                    world.note("Kafka", "times out the transaction of", transaction.client);
                    transaction.id.epoch++;
                    abort(transaction);
                    return true;
                }
            }
        }
        return false;
    }

    void decide(Transaction transaction) {
        transaction.committed = true;
        decided(transaction);
        ledger.kafkaCommitted(
                transaction.id.lane.number, transaction.records, transaction.positions, transaction.progress);
    }

    void abort(Transaction transaction) {
        decided(transaction);
    }

    private void decided(Transaction transaction) {
        transaction.state = State.DECIDED;
        if (transaction.partitions.isEmpty()) {
            transaction.state = State.ENDED;
            transaction.id.lane.pending.remove(transaction);
        } else if (world.chance(0.6)) {
            markWhatIsReached(transaction);
        }
    }

    /** How many channels some lane has used. */
    int channels() {
        return lanes.stream().mapToInt(lane -> lane.ids.size()).max().orElse(0);
    }

    /** The channel that the last readable progress names. */
    int channel(int lane) {
        return lanes.get(lane).readable.channel();
    }

    // What an enqueuer asks.

    Publisher client(Caller caller) {
        return new Client(caller);
    }

    /**
     * Ends what an earlier producer has open, which fences that one, and waits for the end. Where an end was decided
     * before, nobody is fenced until it is everywhere.
     *
     * @return whether it is
     */
    boolean fence(Caller by, Id id) {
        if (id.last != null && id.last.state == State.OPEN) {
            id.epoch++;
            abort(id.last);
        }
        if (!world.await("waits for markers", id::isEnded, PUBLISH_TIMEOUT)) {
            return false;
        }
        id.epoch++;
        world.note(by, "fences lane " + id.lane.number + ", channel " + id.channel + ", epoch", id.epoch);
        return true;
    }

    /** A producer begins a transaction; it cannot before its last one is ended everywhere. */
    boolean endBefore(Transaction last) {
        if (world.chance(0.8)) {
            markWhatIsReached(last);
        }
        return world.await("waits for the end before", () -> last.state == State.ENDED, PUBLISH_TIMEOUT);
    }

    /** Whether what becomes of the last transaction is decided, and stands in the progress. */
    boolean isDecided(Id id) {
        return id.last != null && id.last.state == State.DECIDED && !id.last.partitions.contains(PROGRESS);
    }

    /** The progress, when nothing is open behind it. */
    Progress readToEnd(Lane lane) {
        if (!world.await("waits for the end of the progress", lane.unreadable::isEmpty, PUBLISH_TIMEOUT)) {
            throw outside("the progress is not readable to its end");
        }
        return lane.readable;
    }

    /** The progress as an enqueuer sees it. */
    Progress shown(Progress progress) {
        return progress;
    }

    /** A commit request arrives, or does not; returns whether it was answered. */
    boolean commit(Transaction transaction) {
        Fate fate = world.fateOfCommit();
        switch (fate) {
            case DONE, UNANSWERED -> decide(transaction);
            case LOST -> {}
            case LATE -> late.add(transaction);
        }
        return fate == Fate.DONE;
    }

    private static ExternalFailureException outside(String what) {
        return new ExternalFailureException(Origin.KAFKA, what, null);
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
            return Optional.of(shown(lanes.get(lane).readable));
        }

        @Override
        public Opened open(int number, long generation, int channel) {
            Id id = lanes.get(number).id(channel);
            world.step("opens a producer of channel " + channel + " for lane", number);
            Fate fate = world.fate();
            if (fate == Fate.LOST) {
                throw outside("not reached");
            }
            if (!fence(me, id)) {
                return decided(id);
            }
            if (fate != Fate.DONE) {
                throw outside("no answer");
            }
            long epoch = id.epoch;
            world.step("reads the progress with epoch", epoch);
            mayFail();
            Progress last = readToEnd(id.lane);
            Producer producer = new Producer(me, id, epoch, known);
            producer.progress = shown(last.channel() < channel ? producer.repeats(last) : last);
            return producer;
        }

        private Decided decided(Id id) {
            ExternalFailureException failure = outside("the transaction before did not end");
            world.step("describes the last transaction of channel", id.channel);
            mayFail();
            if (!isDecided(id)) {
                throw failure;
            }
            world.step("reads the progress although lane " + id.lane.number + " is not ended", "");
            mayFail();
            return new Decided(shown(readToEnd(id.lane)), failure);
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
                if (sick.contains(topic)) {
                    refused.put(topic, SICK);
                } else if (topics.get(topic)) {
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
        private final Id id;
        private final long epoch;
        private final Set<String> known;
        private Progress progress;
        private Transaction last;

        Producer(Caller me, Id id, long epoch, Set<String> known) {
            this.me = me;
            this.id = id;
            this.epoch = epoch;
            this.known = known;
        }

        /** The first transaction under a channel. */
        Progress repeats(Progress before) {
            world.step("repeats under channel " + id.channel + " the progress of batch", before.batch());
            if (isFenced()) {
                throw outside("fenced");
            }
            Transaction transaction = begin();
            write(transaction, before.under(id.channel));
            if (!committed(transaction)) {
                throw outside("no answer to the commit");
            }
            return transaction.progress;
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
                    if (last != null && !endBefore(last)) {
                        return failed("the transaction before did not end");
                    }
                    if (isFenced()) {
                        return failed("fenced");
                    }
                    transaction = begin();
                }
                if (sick.contains(job.topic())) {
                    if (world.chance(0.5)) {
                        transaction.partitions.add(job.topic()); // its leader had asked the coordinator
                    }
                    return failed("not acknowledged");
                }
                if (isFenced() || transaction.state != State.OPEN || world.fate() != Fate.DONE) {
                    return failed("not acknowledged");
                }
                if (topics.get(job.topic()) && !ledger.of(job).isRefused()) {
                    transaction.partitions.add(job.topic());
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
            write(transaction, Progress.of(id.channel, batch.number(), jobs));
            return committed(transaction) ? new Outcome(jobs, refusedBefore, Map.of(), null) : failed("commit");
        }

        private boolean isFenced() {
            return epoch < id.epoch;
        }

        private Transaction begin() {
            ledger.kafkaTransactionBegins(id.lane.number, store);
            last = new Transaction(me, id);
            id.last = last;
            id.lane.pending.add(last);
            return last;
        }

        private void write(Transaction transaction, Progress itsProgress) {
            transaction.progress = itsProgress;
            transaction.partitions.add(PROGRESS);
            id.lane.unreadable.add(transaction);
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
