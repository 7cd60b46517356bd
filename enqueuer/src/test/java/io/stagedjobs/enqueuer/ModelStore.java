package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.OutsideException.Side;
import io.stagedjobs.enqueuer.Simulation.Fate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * PostgreSQL as the lane protocol sees it. Statements are atomic and see what is committed when they start, and what their
 * own transaction has changed. A lane's row can be locked by one transaction; others wait in a queue that the server keeps, so that
 * a stopped process may be given a lock. A transaction belongs to a server session that outlives its client until the server
 * notices, or until a takeover ends it.
 */
final class ModelStore {

    static final Duration LOCK_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration IDLE_IN_TRANSACTION_TIMEOUT = Duration.ofSeconds(100);

    /** A row of {@code parked_jobs}. */
    private record AsideRow(Job job, boolean held) {}

    private static final class Lane {
        long generation;
        SimulatedEnqueuer owner;
        long settled;
        Session holder;
        final Deque<Session> waiting = new ArrayDeque<>();
        final TreeMap<Long, Job> rows = new TreeMap<>();
        final TreeMap<Long, AsideRow> aside = new TreeMap<>();
    }

    /** A transaction, as the server knows it. */
    private final class Session {
        final SimulatedEnqueuer client;
        final Lane lane;
        final long lockDeadline = simulation.nanoTime() + LOCK_TIMEOUT.toNanos();
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

        Session(SimulatedEnqueuer client, Lane lane) {
            this.client = client;
            this.lane = lane;
        }
    }

    private final Simulation simulation;
    private final Ledger ledger;
    private final Flaw flaw;
    private final List<Lane> lanes = new ArrayList<>();
    private final List<Session> open = new ArrayList<>();
    private final Deque<List<Ledger.Fact>> unflushed = new ArrayDeque<>();
    private long sequence;
    private long sequenceFlushed;
    /** Business transactions that have locked the table. */
    private final Set<String> lockedBy = new TreeSet<>();

    /** Those whose rows nobody sees yet: they give up their locks a moment after that. */
    private final Set<String> inProgress = new HashSet<>();

    private int starts;
    private int crashes;

    ModelStore(Simulation simulation, Ledger ledger, Flaw flaw, int lanes) {
        this.simulation = simulation;
        this.ledger = ledger;
        this.flaw = flaw;
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

    /** A business transaction commits; an asynchronous commit can be taken back by a crash until the log is flushed. */
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

    private String era() {
        return "era " + starts;
    }

    private void flush() {
        unflushed.clear();
        sequenceFlushed = sequence;
    }

    // What happens to the server.

    /** Lock and idle timeouts, which the server measures: also of clients that are stopped. */
    void tick() {
        for (Session session : List.copyOf(open)) {
            boolean lockTimeout = !session.granted && simulation.nanoTime() - session.lockDeadline >= 0;
            boolean idle = session.granted
                    && simulation.nanoTime() - session.lastHeardOf >= IDLE_IN_TRANSACTION_TIMEOUT.toNanos();
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
        Session session = simulation.oneOf(gone);
        simulation.note("PostgreSQL", "ends a transaction of", session.client);
        terminate(session);
        return true;
    }

    /** As {@code pg_terminate_backend} does with everybody. */
    void endAll() {
        List.copyOf(open).forEach(this::terminate);
    }

    private void terminate(Session session) {
        end(session, session.committing && simulation.chance(0.5));
    }

    /** All sessions end, and the last asynchronous commits are forgotten. */
    void crash() {
        simulation.note("PostgreSQL", "crashes, unflushed commits:", unflushed.size());
        endAll();
        lockedBy.clear();
        inProgress.clear();
        crashes++;
        starts += simulation.chance(0.5) ? 1 : 0; // else only a session crashed, and took the others along
        while (!unflushed.isEmpty() && simulation.chance(0.7)) {
            for (Ledger.Fact fact : unflushed.removeLast()) {
                simulation.note("PostgreSQL", "forgets", fact);
                lanes.get(fact.lane).rows.remove(fact.job.id());
                ledger.takenBack(fact);
            }
        }
        if (unflushed.isEmpty() && simulation.chance(0.5)) {
            sequence = highestId();
        }
        flush();
    }

    /** Sequence draws are taken back too, though never those that a commit on disk has used. */
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

    private void grant(Session session) {
        session.granted = true;
        session.lastHeardOf = simulation.nanoTime();
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

    /** Returns parked jobs of one key in their order, or discards one; false if there is nothing to do or the lane is locked. */
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
        Job chosen = simulation.oneOf(parked).job;
        Lane lane = lanes.get(ledger.of(chosen).lane);
        if (mayDiscard && simulation.chance(0.3)) {
            simulation.note("operator", "discards", chosen.name());
            lane.aside.remove(chosen.id());
            ledger.of(chosen).discarded = true;
            return true;
        }
        boolean onlyFirst = simulation.chance(0.5);
        for (AsideRow row : List.copyOf(lane.aside.values())) {
            if (!row.held && sameKey(row.job, chosen)) {
                simulation.note("operator", "requeues", row.job.name());
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

    // What a test asks.

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

    Lanes client(SimulatedEnqueuer enqueuer) {
        return new Client(enqueuer);
    }

    private static OutsideException outside(String what) {
        return new OutsideException(Side.POSTGRESQL, what, null);
    }

    /** Only in {@link Flaw#READS_AHEAD}: the next batch, read before this one was deleted. */
    private record Ahead(long generation, LaneTransaction.Read read) {}

    private final class Client implements Lanes {
        private final SimulatedEnqueuer me;
        private final Map<Lane, Ahead> readAhead = new HashMap<>();

        Client(SimulatedEnqueuer me) {
            this.me = me;
        }

        @Override
        public OptionalLong take(int number) {
            simulation.step("takes lane", number);
            mayFail();
            Lane lane = lanes.get(number);
            SimulatedEnqueuer owner = lane.owner;
            if (owner != null && owner != me && !owner.seemsAlive()) {
                open.stream()
                        .filter(session -> session.client == owner)
                        .toList()
                        .forEach(ModelStore.this::terminate);
            }
            if (!mayTake(lane)) {
                return OptionalLong.empty();
            }
            Session session = lock(lane);
            if (!mayTake(lane)) {
                end(session, false);
                return OptionalLong.empty();
            }
            Fate fate = simulation.fate();
            if (fate != Fate.LOST) {
                lane.owner = me;
                lane.generation++;
            }
            end(session, true);
            if (fate != Fate.DONE) {
                throw outside("no answer to take");
            }
            simulation.note(me, "has generation", lane.generation);
            return OptionalLong.of(lane.generation);
        }

        private boolean mayTake(Lane lane) {
            return lane.owner == null || lane.owner == me || !lane.owner.seemsAlive();
        }

        @Override
        public void giveBack(int number, long generation) {
            simulation.step("gives back lane", number);
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
        public Set<Integer> waiting(Map<Integer, Start> resting) {
            simulation.step("looks at lanes", resting.keySet());
            mayFail();
            return resting.entrySet().stream()
                    .filter(one -> waits(one.getKey(), one.getValue()))
                    .map(Map.Entry::getKey)
                    .collect(Collectors.toSet());
        }

        private boolean waits(int lane, Start start) {
            return lanes.get(lane).generation != start.generation()
                    || !start.era().equals(era())
                    || !lanes.get(lane).rows.tailMap(start.after(), false).isEmpty()
                    || !lockedBy.containsAll(start.exceptions());
        }

        @Override
        public Reading readHorizon() {
            simulation.step("reads the last id", "");
            mayFail();
            long lastId = sequence;
            int crashesBefore = crashes;
            flush();
            simulation.step("reads who may still commit up to", lastId);
            mayFail();
            if (crashes > crashesBefore) {
                throw outside("the connection was ended");
            }
            return new Reading(
                    era(), lastId, flaw == Flaw.FLOOR_DOES_NOT_WAIT_FOR_WRITERS ? Set.of() : Set.copyOf(lockedBy));
        }

        @Override
        public Optional<LaneTransaction> begin(int number, long generation) {
            simulation.step("locks lane", number);
            mayFail();
            Lane lane = lanes.get(number);
            Session session = lock(lane);
            if (lane.generation == generation || flaw == Flaw.DOES_NOT_CHECK_THE_GENERATION) {
                return Optional.of(new Transaction(session, readAhead));
            }
            end(session, false);
            return Optional.empty();
        }

        private void mayFail() {
            if (simulation.fate() != Fate.DONE) {
                throw outside("no connection");
            }
        }

        private Session lock(Lane lane) {
            Session session = new Session(me, lane);
            open.add(session);
            if (lane.holder == null) {
                lane.holder = session;
                grant(session);
            } else if (flaw == Flaw.SKIPS_LOCKED_ROWS) {
                grant(session);
            } else {
                lane.waiting.add(session);
                simulation.await("waits for the lane's lock", () -> session.granted || session.over, LOCK_TIMEOUT);
            }
            if (session.granted && !session.over) {
                session.lastHeardOf = simulation.nanoTime();
                return session;
            }
            end(session, false);
            throw outside("lock timeout or end of the connection");
        }
    }

    private final class Transaction implements LaneTransaction {
        private final Session session;
        private final Lane lane;
        private final Map<Lane, Ahead> readAhead;
        private final String era = ModelStore.this.era();
        private Supplier<Read> readingAhead;

        Transaction(Session session, Map<Lane, Ahead> readAhead) {
            this.session = session;
            this.readAhead = readAhead;
            this.lane = session.lane;
        }

        /** One statement. If it fails, the server may keep the transaction for a while. */
        private <T> T ask(String what, Object detail, Supplier<T> question) {
            simulation.step(what, detail);
            if (session.over || session.broken) {
                throw outside("the connection was ended");
            }
            session.lastHeardOf = simulation.nanoTime();
            if (simulation.fate() != Fate.DONE) {
                breakConnection();
                throw outside("no answer to: " + what);
            }
            return question.get();
        }

        private void breakConnection() {
            session.broken = true;
            if (simulation.chance(0.5)) {
                end(session, false);
            }
        }

        private TreeMap<Long, Job> rows() {
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
        public long settled() {
            return ask(
                    "reads the last batch settled", "", () -> session.settled == null ? lane.settled : session.settled);
        }

        @Override
        public void recordSettled(long batch) {
            ask("records batch", batch, () -> session.settled = batch);
        }

        @Override
        public List<Row> present(Collection<Long> ids) {
            return ask("looks for published jobs", ids, () -> {
                Set<Long> wanted = new HashSet<>(ids);
                if (flaw == Flaw.TAKES_THE_HIGHEST_ID_FOR_PROGRESS && !ids.isEmpty()) {
                    wanted.addAll(rows().headMap(new TreeSet<>(ids).last()).keySet());
                }
                return flaw == Flaw.SKIPS_THE_RECONCILE
                        ? List.of()
                        : rows().values().stream()
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
            return ask("looks whether old transactions are over", writers, () -> switch (flaw) {
                case FLOOR_FORGETS_ITS_EXCEPTIONS -> false;
                case TAKES_A_LOCK_FOR_AN_OPEN_TRANSACTION -> !lockedBy.containsAll(writers);
                default -> !inProgress.containsAll(writers);
            });
        }

        @Override
        public Read read(BatchLimits limits, Blocked blocked, long after) {
            Ahead ahead = readAhead.remove(lane);
            Read read = ask(
                    "reads jobs",
                    "",
                    () -> ahead != null && ahead.generation == lane.generation
                            ? ahead.read
                            : select(limits, blocked, after));
            if (flaw == Flaw.READS_AHEAD && !read.jobs().isEmpty()) {
                long last = read.jobs().get(read.jobs().size() - 1).id();
                readingAhead = () -> select(limits, blocked, last);
            }
            simulation.note(
                    me(), "has read", read.jobs().stream().map(Job::name).toList());
            return read;
        }

        private SimulatedEnqueuer me() {
            return session.client;
        }

        private Read select(BatchLimits limits, Blocked blocked, long after) {
            List<Job> jobs = new ArrayList<>();
            long bytes = 0;
            for (Job job : rows().tailMap(after, false).values()) {
                Long held = blocked.from().get(job.topic());
                boolean leftOut = blocked.topics().contains(job.topic())
                        || (held != null && job.id() >= held)
                        || (blocked.followers() && flaw != Flaw.DOES_NOT_LEAVE_FOLLOWERS_OUT && follows(job));
                if (!leftOut && jobs.size() < limits.rowsMax() && bytes < limits.bytesMax()) {
                    jobs.add(job);
                    bytes += bytes(job);
                }
            }
            if (!jobs.isEmpty() && flaw != Flaw.DOES_NOT_FLUSH_THE_LOG) {
                flush();
            }
            return new Read(jobs, jobs.size() == limits.rowsMax() || bytes >= limits.bytesMax());
        }

        private static long bytes(Job job) {
            return 64 + (job.key() == null ? 0 : job.key().length());
        }

        /** Nothing: what Kafka holds is never moved aside, unless a database was put back, which is not modelled. */
        @Override
        public int deleteAside(Collection<Row> asked) {
            return 0;
        }

        @Override
        public Deleted delete(Collection<Row> asked) {
            return ask(
                    "deletes", (Supplier<?>) () -> asked.stream().map(Row::id).toList(), () -> {
                        Map<Long, Job> rows = rows();
                        List<Job> gone = new ArrayList<>();
                        for (Row row : asked) {
                            Job job = rows.get(row.id());
                            if (job != null && job.jobId().equals(row.jobId()) && !isLockedByAnother(row.id())) {
                                gone.add(job);
                            }
                        }
                        if (flaw == Flaw.DELETES_UP_TO_THE_LAST_ID && !gone.isEmpty()) {
                            gone = List.copyOf(
                                    rows().headMap(gone.get(gone.size() - 1).id(), true)
                                            .values());
                        }
                        gone.forEach(job -> session.rows.put(job.id(), null));
                        session.deleted.addAll(gone);
                        return new Deleted(gone.size(), Instant.EPOCH);
                    });
        }

        /** Cannot be while all wait for the lane's lock. */
        private boolean isLockedByAnother(long id) {
            return flaw == Flaw.SKIPS_LOCKED_ROWS
                    && open.stream()
                            .anyMatch(other -> other != session && other.lane == lane && other.rows.containsKey(id));
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
            ask(
                    "moves aside",
                    (Supplier<?>) () -> jobs.stream().map(job -> job.row().id()).toList(),
                    () -> {
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
            return ask("sweeps, refused are", refused.keySet(), () -> {
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
                return new Swept(
                        bounded.size(),
                        switch (flaw) {
                            case SWEEP_CLAIMS_MORE_THAN_IT_LOOKED_AT -> Long.MAX_VALUE;
                            default -> cleared ? through : after;
                        });
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
            return ask("puts back held jobs of", topic, () -> {
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
        public void commit() {
            simulation.commitStep("commits", "");
            if (session.over || session.broken) {
                throw outside("the connection was ended");
            }
            Fate fate = simulation.fateOfCommit();
            switch (fate) {
                case DONE, UNANSWERED -> {
                    if (readingAhead != null) {
                        Read read = readingAhead.get();
                        if (!read.jobs().isEmpty()) {
                            readAhead.put(lane, new Ahead(lane.generation, read));
                        }
                    }
                    end(session, true);
                }
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
