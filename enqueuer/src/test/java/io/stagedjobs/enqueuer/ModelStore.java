package io.stagedjobs.enqueuer;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Read;
import io.stagedjobs.enqueuer.World.Caller;
import io.stagedjobs.enqueuer.World.Fate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * PostgreSQL as the lane protocol sees it. Statements are atomic and see what is committed when they start, and what
 * their own transaction has changed. A lane's row can be locked by one transaction; others wait in a queue that the
 * server keeps, so that a stopped process may be given a lock. A transaction belongs to a server session that outlives
 * its client until the server notices, or until a takeover ends it.
 */
class ModelStore {

    static final Duration LOCK_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration IDLE_IN_TRANSACTION_TIMEOUT = Duration.ofSeconds(100);

    /** A row of {@code parked_jobs}. */
    record AsideRow(Job job, boolean held) {}

    static final class Lane {
        long generation;
        int channel;
        Caller owner;
        long settled;
        Session holder;
        final Deque<Session> waiting = new ArrayDeque<>();
        final TreeMap<Long, Job> rows = new TreeMap<>();
        final TreeMap<Long, AsideRow> aside = new TreeMap<>();
    }

    /** A transaction, as the server knows it. */
    final class Session {
        final Caller client;
        final Lane lane;
        final long lockDeadline = world.nanoTime() + LOCK_TIMEOUT.toNanos();
        boolean granted;
        boolean over;
        /** Its client has lost the connection; the server does not know yet. */
        boolean broken;
        /** Then a COMMIT may still be on its way to the server. */
        boolean committing;

        long lastHeardOf;
        /** By id; null where the row is gone. */
        final Map<Long, Job> rows = new LinkedHashMap<>();

        final Map<Long, AsideRow> aside = new LinkedHashMap<>();
        final List<Job> deleted = new ArrayList<>();
        Long settled;
        Integer channel;
        /** What it is called among those who may commit a job; it is one of them once it has changed any. */
        final String writer = "lane transaction " + ++begun;

        Session(Caller client, Lane lane) {
            this.client = client;
            this.lane = lane;
        }
    }

    private final World world;
    private final Ledger ledger;
    private final List<Lane> lanes = new ArrayList<>();
    final List<Session> open = new ArrayList<>();
    private final Deque<List<Ledger.Fact>> unflushed = new ArrayDeque<>();
    private long sequence;
    private long sequenceFlushed;
    /** Transactions that have locked the table as an insert does. */
    private final Set<String> lockedBy = new TreeSet<>();

    /** Those whose rows nobody sees yet: they give up their locks a moment after that. */
    private final Set<String> inProgress = new HashSet<>();

    private int begun;
    private int starts;
    private int crashes;

    ModelStore(World world, Ledger ledger, int lanes) {
        this.world = world;
        this.ledger = ledger;
        for (int i = 0; i < lanes; i++) {
            this.lanes.add(new Lane());
        }
    }

    // What writers do.

    /** Before it draws its first id. */
    void lock(String writer) {
        lockedBy.add(writer);
        inProgress.add(writer);
    }

    long nextId() {
        return ++sequence;
    }

    /** It has committed or rolled back; its locks are still there. */
    void over(String writer) {
        inProgress.remove(writer);
    }

    void unlock(String writer) {
        lockedBy.remove(writer);
    }

    /** A business transaction commits; a crash can undo an asynchronous commit until the log is flushed. */
    void commit(List<Ledger.Fact> staged, boolean synchronous) {
        for (Ledger.Fact fact : staged) {
            fact.committed = true;
            lanes.get(fact.lane).rows.put(fact.job.id(), fact.job);
        }
        unflushed.add(List.copyOf(staged));
        if (synchronous) {
            flush();
        }
    }

    String era() {
        return "era " + starts;
    }

    void flush() {
        unflushed.clear();
        sequenceFlushed = sequence;
    }

    // What happens to the server.

    /** Lock and idle timeouts, which the server measures: also of clients that are stopped. */
    void tick() {
        for (Session session : List.copyOf(open)) {
            boolean lockTimeout = !session.granted && world.nanoTime() - session.lockDeadline >= 0;
            boolean idle =
                    session.granted && world.nanoTime() - session.lastHeardOf >= IDLE_IN_TRANSACTION_TIMEOUT.toNanos();
            if (lockTimeout || idle) {
                end(session, false);
            }
        }
    }

    /** The server notices that a client is gone, or works off what that one sent last. */
    boolean noticeBrokenConnection() {
        List<Session> gone = open.stream()
                .filter(session -> session.broken || session.client.crashed())
                .toList();
        if (gone.isEmpty()) {
            return false;
        }
        Session session = world.oneOf(gone);
        world.note("PostgreSQL", "ends a transaction of", session.client);
        terminate(session);
        return true;
    }

    /** As {@code pg_terminate_backend} does with everybody. */
    void endAll() {
        List.copyOf(open).forEach(this::terminate);
    }

    private void terminate(Session session) {
        end(session, session.committing && world.chance(0.5));
    }

    /** All sessions end, and the last asynchronous commits are forgotten. */
    void crash() {
        world.note("PostgreSQL", "crashes, unflushed commits:", unflushed.size());
        endAll();
        lockedBy.clear();
        inProgress.clear();
        crashes++;
        starts += world.chance(0.5) ? 1 : 0; // else only a session crashed, and took the others along
        while (!unflushed.isEmpty() && world.chance(0.7)) {
            for (Ledger.Fact fact : unflushed.removeLast()) {
                world.note("PostgreSQL", "forgets", fact);
                lanes.get(fact.lane).rows.remove(fact.job.id());
                ledger.takenBack(fact);
            }
        }
        if (unflushed.isEmpty() && world.chance(0.5)) {
            sequence = highestId();
        }
        flush();
    }

    /** A crash undoes sequence draws too, though never those that a commit on disk has used. */
    private long highestId() {
        long highest = sequenceFlushed;
        for (Lane lane : lanes) {
            highest = Math.max(highest, lane.rows.isEmpty() ? 0 : lane.rows.lastKey());
        }
        return highest;
    }

    private void end(Session session, boolean commit) {
        if (session.over) {
            return;
        }
        session.over = true;
        open.remove(session);
        over(session.writer);
        unlock(session.writer);
        Lane lane = session.lane;
        lane.waiting.remove(session);
        if (commit) {
            apply(session, lane);
        }
        if (lane.holder == session) {
            lane.holder = lane.waiting.poll();
            if (lane.holder != null) {
                grant(lane.holder);
            }
        }
    }

    void grant(Session session) {
        session.granted = true;
        session.lastHeardOf = world.nanoTime();
    }

    private void apply(Session session, Lane lane) {
        session.rows.forEach((id, job) -> put(lane.rows, id, job));
        session.aside.forEach((id, row) -> {
            put(lane.aside, id, row);
            if (row != null) {
                ledger.movedAside(row.job);
            }
        });
        session.deleted.forEach(ledger::rowDeleted);
        lane.settled = session.settled == null ? lane.settled : Math.max(lane.settled, session.settled);
        lane.channel = session.channel == null ? lane.channel : session.channel;
        flush();
    }

    private static <T> void put(Map<Long, T> rows, long id, T row) {
        if (row == null) {
            rows.remove(id);
        } else {
            rows.put(id, row);
        }
    }

    // What an operator does, in one transaction under the lane's lock.

    /**
     * Returns parked jobs of one key in their order, or discards one; false if there is nothing to do or the lane is
     * locked.
     */
    boolean operate(boolean mayDiscard) {
        List<AsideRow> parked = new ArrayList<>();
        for (Lane lane : lanes) {
            if (lane.holder == null) {
                lane.aside.values().stream().filter(row -> !row.held).forEach(parked::add);
            }
        }
        if (parked.isEmpty()) {
            return false;
        }
        Job chosen = world.oneOf(parked).job;
        Lane lane = lanes.get(ledger.of(chosen).lane);
        if (mayDiscard && world.chance(0.3)) {
            world.note("operator", "discards", chosen.name());
            lane.aside.remove(chosen.id());
            ledger.of(chosen).discarded = true;
            return true;
        }
        boolean onlyFirst = world.chance(0.5);
        for (AsideRow row : List.copyOf(lane.aside.values())) {
            if (!row.held && sameKey(row.job, chosen)) {
                world.note("operator", "requeues", row.job.name());
                lane.aside.remove(row.job.id());
                lane.rows.put(row.job.id(), row.job);
                if (onlyFirst) {
                    break;
                }
            }
        }
        lane.generation++;
        return true;
    }

    private static boolean sameKey(Job one, Job other) {
        return one.jobId().equals(other.jobId())
                || (one.key() != null
                        && one.key().equals(other.key())
                        && one.topic().equals(other.topic()));
    }

    // What a person does who should not.

    /** Another server with the same state, whose lanes nobody owns. */
    ModelStore copy() {
        ModelStore copy = new ModelStore(world, ledger, lanes.size());
        for (int i = 0; i < lanes.size(); i++) {
            Lane lane = lanes.get(i);
            Lane same = copy.lanes.get(i);
            same.generation = lane.generation;
            same.channel = lane.channel;
            same.settled = lane.settled;
            same.rows.putAll(lane.rows);
            same.aside.putAll(lane.aside);
        }
        copy.sequence = sequence;
        copy.sequenceFlushed = sequence;
        return copy;
    }

    // What a test asks.

    int channel(int lane) {
        return lanes.get(lane).channel;
    }

    boolean has(int lane, long id) {
        return lanes.get(lane).rows.containsKey(id) || lanes.get(lane).aside.containsKey(id);
    }

    boolean parked(Ledger.Fact fact) {
        AsideRow row = lanes.get(fact.lane).aside.get(fact.job.id());
        return row != null && !row.held && row.job.jobId().equals(fact.job.jobId());
    }

    boolean anyParked() {
        return lanes.stream().anyMatch(lane -> lane.aside.values().stream().anyMatch(row -> !row.held));
    }

    /** Nothing waits, and nothing is to return by itself. */
    boolean drained() {
        for (Lane lane : lanes) {
            if (!lane.rows.isEmpty()) {
                return false;
            }
            for (AsideRow row : lane.aside.values()) {
                if (row.held) {
                    return false;
                }
            }
        }
        return true;
    }

    // What an enqueuer asks.

    Lanes client(Caller caller) {
        return new Client(caller);
    }

    /** One more transaction of the server, which has locked its lane. */
    Transaction transaction(Session session) {
        return new Transaction(session);
    }

    boolean isOf(Lane lane, long generation) {
        return lane.generation == generation;
    }

    /** As it is when the generation is taken. */
    int channelOfTaken(Lane lane, int before) {
        return lane.channel;
    }

    void awaitLock(Session session) {
        session.lane.waiting.add(session);
        world.await("waits for the lane's lock", () -> session.granted || session.over, LOCK_TIMEOUT);
    }

    /** The open transactions that have locked the table. */
    Set<String> writers() {
        return Set.copyOf(lockedBy);
    }

    /** The jobs after those in hand: read from where those were read, without them. */
    Read selectAhead(Lane lane, ReadCriteria criteria, List<Job> without) {
        return select(lane.rows, criteria, without::contains);
    }

    /** The next jobs, as a statement of a read finds them. */
    static Read select(TreeMap<Long, Job> rows, ReadCriteria criteria, Predicate<Job> isLeftOut) {
        BatchLimits limits = criteria.limits();
        List<Job> jobs = new ArrayList<>();
        long bytes = 0;
        for (Job job : rows.tailMap(criteria.after(), false).values()) {
            if (!isLeftOut.test(job) && jobs.size() < limits.rowsMax() && bytes < limits.bytesMax()) {
                jobs.add(job);
                bytes += bytes(job);
            }
        }
        return new Read(jobs, jobs.size() == limits.rowsMax() || bytes >= limits.bytesMax());
    }

    /** Of its headers PostgreSQL counts what they take in its own form: about this. */
    private static long bytes(Job job) {
        return 64
                + (job.payload() == null ? 0 : job.payload().length)
                + Stream.of(job.key(), job.headersJson())
                        .filter(Objects::nonNull)
                        .mapToLong(text -> text.getBytes(UTF_8).length)
                        .sum();
    }

    /** What was read is on the disk before anybody is told. */
    void flushRead() {
        flush();
    }

    private static ExternalFailureException outside(String what) {
        return new ExternalFailureException(Origin.POSTGRESQL, what, null);
    }

    private final class Client implements Lanes {
        private final Caller me;

        Client(Caller me) {
            this.me = me;
        }

        @Override
        public Optional<Taken> take(int number) {
            Lane lane = lanes.get(number);
            int channelBefore = lane.channel;
            world.step("takes lane", number);
            mayFail();
            Caller owner = lane.owner;
            boolean deadOwner = owner != null && owner != me && !owner.seemsAlive();
            open.stream()
                    .filter(session ->
                            session.client == me && session.lane == lane || deadOwner && session.client == owner)
                    .toList()
                    .forEach(ModelStore.this::terminate);
            if (!mayTake(lane)) {
                return Optional.empty();
            }
            Session session = lock(lane);
            if (!mayTake(lane)) {
                end(session, false);
                return Optional.empty();
            }
            Fate fate = world.fate();
            if (fate != Fate.LOST) {
                lane.owner = me;
                lane.generation++;
            }
            end(session, true);
            if (fate != Fate.DONE) {
                throw outside("no answer to take");
            }
            world.note(me, "has generation", lane.generation);
            return Optional.of(new Taken(lane.generation, channelOfTaken(lane, channelBefore)));
        }

        private boolean mayTake(Lane lane) {
            return lane.owner == null || lane.owner == me || !lane.owner.seemsAlive();
        }

        @Override
        public void giveBack(int number, long generation) {
            world.step("gives back lane", number);
            mayFail();
            Lane lane = lanes.get(number);
            if (lane.generation != generation || lane.owner != me) {
                return;
            }
            Session session = lock(lane);
            if (lane.generation == generation && lane.owner == me) {
                lane.owner = null;
            }
            end(session, true);
        }

        @Override
        public Reading readHorizon() {
            world.step("reads the last id", "");
            mayFail();
            long lastId = sequence;
            int crashesBefore = crashes;
            flush();
            world.step("reads who may still commit up to", lastId);
            mayFail();
            if (crashes > crashesBefore) {
                throw outside("the connection was ended");
            }
            return new Reading(era(), lastId, writers());
        }

        @Override
        public Optional<LaneTransaction> begin(int number, long generation) {
            world.step("locks lane", number);
            mayFail();
            Lane lane = lanes.get(number);
            Session session = lock(lane);
            if (isOf(lane, generation)) {
                return Optional.of(transaction(session));
            }
            end(session, false);
            return Optional.empty();
        }

        @Override
        public ClaimResult claim(int number, long generation, String era, ReadCriteria criteria) {
            world.step("looks whether jobs wait in lane", number);
            mayFail();
            Lane lane = lanes.get(number);
            boolean waits = !isOf(lane, generation)
                    || !era.equals(era())
                    || !lane.rows.tailMap(criteria.after(), false).isEmpty()
                    || !lockedBy.containsAll(criteria.exceptions());
            if (!waits) {
                return ClaimResult.NOTHING_WAITS;
            }
            Optional<LaneTransaction> begun = begin(number, generation);
            if (begun.isEmpty()) {
                return ClaimResult.SUPERSEDED;
            }
            try {
                return ClaimResult.of(begun.get(), begun.get().read(criteria));
            } catch (ExternalFailureException e) {
                begun.get().close();
                throw e;
            }
        }

        @Override
        public Optional<Read> readAhead(int number, String era, ReadCriteria criteria, List<Job> without) {
            world.step("reads ahead in lane", number);
            mayFail();
            boolean sameEra = era.equals(era());
            Read read = selectAhead(lanes.get(number), criteria, without);
            if (!read.jobs().isEmpty()) {
                flushRead();
            }
            world.note(me, "has read ahead", read.jobs().stream().map(Job::name).toList());
            if (criteria.exceptions().isEmpty()) {
                return sameEra ? Optional.of(read) : Optional.empty();
            }
            world.step("looks whether old transactions are over", criteria.exceptions());
            mayFail();
            return sameEra && inProgress.containsAll(criteria.exceptions()) ? Optional.of(read) : Optional.empty();
        }

        private void mayFail() {
            if (world.fate() != Fate.DONE) {
                throw outside("no connection");
            }
        }

        private Session lock(Lane lane) {
            Session session = new Session(me, lane);
            open.add(session);
            if (lane.holder == null) {
                lane.holder = session;
                grant(session);
            } else {
                awaitLock(session);
            }
            if (session.granted && !session.over) {
                session.lastHeardOf = world.nanoTime();
                return session;
            }
            end(session, false);
            throw outside("lock timeout or end of the connection");
        }
    }

    class Transaction implements LaneTransaction {
        final Session session;
        final Lane lane;
        private final String era = ModelStore.this.era();
        private final long batchWhenLocked;
        private Supplier<Deleted> deletion;
        private Runnable takeBack;

        Transaction(Session session) {
            this.session = session;
            this.lane = session.lane;
            this.batchWhenLocked = lane.settled;
        }

        /** One statement. If it fails, the server may keep the transaction for a while. */
        private <T> T ask(String what, Object detail, Supplier<T> question) {
            world.step(what, detail);
            if (session.over || session.broken) {
                throw outside("the connection was ended");
            }
            session.lastHeardOf = world.nanoTime();
            if (world.fate() != Fate.DONE) {
                breakConnection();
                throw outside("no answer to: " + what);
            }
            return question.get();
        }

        private void breakConnection() {
            session.broken = true;
            if (world.chance(0.5)) {
                end(session, false);
            }
        }

        TreeMap<Long, Job> rows() {
            TreeMap<Long, Job> rows = new TreeMap<>(lane.rows);
            session.rows.forEach((id, row) -> put(rows, id, row));
            return rows;
        }

        private TreeMap<Long, AsideRow> asideRows() {
            TreeMap<Long, AsideRow> rows = new TreeMap<>(lane.aside);
            session.aside.forEach((id, row) -> put(rows, id, row));
            return rows;
        }

        private boolean follows(Job job) {
            return job.key() != null
                    && asideRows().headMap(job.id()).values().stream()
                            .anyMatch(row -> !row.held && sameKey(row.job, job));
        }

        @Override
        public long lastBatch() {
            return ask("reads the last batch", "", () -> session.settled == null ? lane.settled : session.settled);
        }

        @Override
        public long lastBatchWhenLocked() {
            return batchWhenLocked;
        }

        @Override
        public void writeToLog() {
            ask("writes to the log", "", () -> null);
        }

        @Override
        public List<Row> present(Collection<Long> ids) {
            return ask("looks for published jobs", ids, () -> {
                Set<Long> wanted = new HashSet<>(ids);
                return Stream.concat(
                                rows().values().stream(),
                                asideRows().values().stream().map(AsideRow::job))
                        .filter(job -> wanted.contains(job.id()))
                        .map(Row::of)
                        .toList();
            });
        }

        @Override
        public String era() {
            return era;
        }

        @Override
        public boolean anyOver(Set<String> writers) {
            return ask("looks whether old transactions are over", writers, () -> !inProgress.containsAll(writers));
        }

        @Override
        public Read read(ReadCriteria criteria) {
            Read read = ask("reads jobs", "", () -> select(criteria));
            world.note(me(), "has read", read.jobs().stream().map(Job::name).toList());
            return read;
        }

        private Caller me() {
            return session.client;
        }

        Read select(ReadCriteria criteria) {
            Blocked blocked = criteria.blocked();
            Read read = ModelStore.select(rows(), criteria, job -> {
                Long held = blocked.from().get(job.topic());
                return blocked.topics().contains(job.topic())
                        || (held != null && job.id() >= held)
                        || (blocked.followers() && follows(job));
            });
            if (!read.jobs().isEmpty()) {
                flushRead();
            }
            return read;
        }

        @Override
        public int deleteAside(Collection<Row> asked) {
            return ask("deletes aside", ids(asked), () -> {
                Map<Long, AsideRow> rows = asideRows();
                List<Job> gone = asked.stream()
                        .map(row -> rows.get(row.id()))
                        .filter(row -> row != null && asked.contains(Row.of(row.job)))
                        .map(AsideRow::job)
                        .toList();
                gone.forEach(job -> session.aside.put(job.id(), null));
                session.deleted.addAll(gone);
                return gone.size();
            });
        }

        private static Supplier<?> ids(Collection<Row> rows) {
            return () -> rows.stream().map(Row::id).toList();
        }

        /** A statement that changes jobs locks their table, before it looks for any. */
        private <T> T change(String what, Object detail, Supplier<T> statement) {
            return ask(what, detail, () -> {
                lock(session.writer);
                return statement.get();
            });
        }

        @Override
        public Deleted delete(Collection<Row> asked, long batch) {
            if (asked.isEmpty() && batch == 0) {
                return new Deleted(0, Instant.EPOCH);
            }
            return change("deletes", ids(asked), () -> {
                session.settled = batch == 0 ? session.settled : (Long) batch;
                List<Job> gone = toDelete(asked);
                gone.forEach(job -> session.rows.put(job.id(), null));
                session.deleted.addAll(gone);
                return new Deleted(gone.size(), Instant.EPOCH);
            });
        }

        @Override
        public void deleteMeanwhile(Collection<Row> asked, long batch) {
            Map<Long, Job> rows = new LinkedHashMap<>(session.rows);
            int deletedBefore = session.deleted.size();
            Long settled = session.settled;
            takeBack = () -> {
                session.rows.clear();
                session.rows.putAll(rows);
                session.deleted.subList(deletedBefore, session.deleted.size()).clear();
                session.settled = settled;
            };
            try {
                Deleted deleted = delete(asked, batch);
                deletion = () -> deleted;
            } catch (ExternalFailureException e) {
                deletion = () -> {
                    throw e;
                };
            }
        }

        @Override
        public Deleted deletedMeanwhile() {
            return deletion.get();
        }

        @Override
        public void takeBackDeletion() {
            deletion.get();
            ask("takes back the deletion", "", () -> {
                takeBack.run();
                return null;
            });
        }

        /** Where both halves match. */
        List<Job> toDelete(Collection<Row> asked) {
            Map<Long, Job> rows = rows();
            return asked.stream()
                    .map(row -> rows.get(row.id()))
                    .filter(job -> job != null && asked.contains(Row.of(job)))
                    .toList();
        }

        @Override
        public Stored aside() {
            return ask("reads what is moved aside", "", () -> {
                Set<String> held = new HashSet<>();
                boolean parked = false;
                for (AsideRow row : asideRows().values()) {
                    if (row.held) {
                        held.add(row.job.topic());
                    } else {
                        parked = true;
                    }
                }
                return new Stored(held, parked);
            });
        }

        @Override
        public void moveAside(Collection<Moved> jobs) {
            if (jobs.isEmpty()) {
                return;
            }
            change("moves aside", ids(jobs.stream().map(Moved::row).toList()), () -> {
                Map<Long, Job> rows = rows();
                for (Moved moved : jobs) {
                    Job job = rows.get(moved.row().id());
                    if (job != null && job.jobId().equals(moved.row().jobId())) {
                        move(job, moved.held());
                    }
                }
                return null;
            });
        }

        private void move(Job job, boolean held) {
            session.rows.put(job.id(), null);
            session.aside.put(job.id(), new AsideRow(job, held));
        }

        @Override
        public Swept sweep(Map<String, Refusal> refused, BatchLimits limits, long after) {
            return change("sweeps, refused are", refused.keySet(), () -> {
                List<Job> first = rows().tailMap(after, false).values().stream()
                        .limit(limits.rowsMax())
                        .toList();
                List<Job> blocked = first.stream()
                        .filter(job -> refused.containsKey(job.topic()) || follows(job))
                        .toList();
                List<Job> bounded = bounded(blocked, limits.bytesMax());
                bounded.forEach(job -> move(job, refused.containsKey(job.topic())));
                long through = first.size() < limits.rowsMax()
                        ? Long.MAX_VALUE
                        : first.get(first.size() - 1).id();
                boolean cleared = bounded.size() == blocked.size();
                return new Swept(bounded.size(), cleared ? through : after);
            });
        }

        private static List<Job> bounded(List<Job> jobs, long bytesMax) {
            long bytes = 0;
            for (int i = 0; i < jobs.size(); i++) {
                if (bytes >= bytesMax) {
                    return jobs.subList(0, i);
                }
                bytes += bytes(jobs.get(i));
            }
            return jobs;
        }

        @Override
        public PutBack putBack(String topic, BatchLimits limits) {
            return change("puts back held jobs of", topic, () -> {
                List<Job> held = held(topic);
                List<Job> back = bounded(held.stream().limit(limits.rowsMax()).toList(), limits.bytesMax());
                for (Job job : back) {
                    session.aside.put(job.id(), null);
                    session.rows.put(job.id(), job);
                }
                return new PutBack(
                        back.size(),
                        back.size() == held.size()
                                ? OptionalLong.empty()
                                : OptionalLong.of(held.get(back.size()).id()));
            });
        }

        private List<Job> held(String topic) {
            return asideRows().values().stream()
                    .filter(row -> row.held && row.job.topic().equals(topic))
                    .map(AsideRow::job)
                    .toList();
        }

        @Override
        public void useChannel(int channel) {
            ask("writes down channel", channel, () -> session.channel = channel);
        }

        @Override
        public void commit() {
            world.commitStep("commits", "");
            if (session.over || session.broken) {
                throw outside("the connection was ended");
            }
            Fate fate = world.fateOfCommit();
            switch (fate) {
                case DONE, UNANSWERED -> end(session, true);
                case LOST -> breakConnection();
                case LATE -> session.committing = true;
            }
            if (fate != Fate.DONE) {
                session.broken = true;
                throw outside("no answer to commit");
            }
        }

        @Override
        public void close() {
            if (!session.broken && !me().crashed()) {
                end(session, false);
            }
        }
    }
}
