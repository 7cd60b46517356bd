package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.Ledger.Fact;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * Applications with a few business transactions open at once. A statement first takes its snapshot, later draws ids;
 * its transaction ends at any time after that: so ids commit out of order, some never, and each statement knows exactly
 * which jobs of its key it could see.
 */
final class SimulatedWriters {

    /**
     * What is staged.
     *
     * @param jobs how many in all, those rolled back among them
     * @param keys how many a topic; beside them some jobs have none
     * @param refused the share of jobs that the broker refuses
     * @param asynchronous the share of commits that do not wait for the disk
     */
    record Work(int jobs, List<String> topics, int keys, int lanes, double refused, double asynchronous) {}

    private static final int TRANSACTIONS_MAX = 3;

    private static final class Transaction {
        String name;
        final List<Fact> staged = new ArrayList<>();
        int statementsLeft;
        /** Of the statement that runs; null between two. */
        String topic;

        String key;
        List<Fact> visible;
    }

    private final Simulation simulation;
    private final Ledger ledger;
    private final ModelStore store;
    private final Work work;
    private final List<Transaction> open = new ArrayList<>();
    private final List<Fact> committed = new ArrayList<>();
    /** They are over, and still have their locks. */
    private final List<String> unlocking = new ArrayList<>();

    private int begun;
    private int staged;

    SimulatedWriters(Simulation simulation, Ledger ledger, ModelStore store, Work work) {
        this.simulation = simulation;
        this.ledger = ledger;
        this.store = store;
        this.work = work;
    }

    boolean finished() {
        return open.isEmpty() && unlocking.isEmpty() && staged >= work.jobs;
    }

    /** One of them does one thing; false if none has anything left to do. */
    boolean step() {
        if (finished()) {
            return false;
        }
        if (!unlocking.isEmpty() && (simulation.chance(0.4) || open.isEmpty())) {
            store.unlock(unlocking.remove(simulation.below(unlocking.size())));
            return true;
        }
        boolean begin =
                staged < work.jobs && open.size() < TRANSACTIONS_MAX && (open.isEmpty() || simulation.chance(0.3));
        if (begin) {
            Transaction transaction = new Transaction();
            transaction.name = "transaction " + ++begun;
            store.lock(transaction.name);
            transaction.statementsLeft = 1 + simulation.below(3);
            open.add(transaction);
            takeSnapshot(transaction);
            return true;
        }
        Transaction transaction = simulation.oneOf(open);
        if (transaction.visible != null) {
            stage(transaction);
        } else if (transaction.statementsLeft > 0 && staged < work.jobs) {
            takeSnapshot(transaction);
        } else {
            end(transaction);
        }
        return true;
    }

    private void takeSnapshot(Transaction transaction) {
        transaction.statementsLeft--;
        transaction.topic = simulation.oneOf(work.topics);
        int key = simulation.below(work.keys + 1);
        transaction.key = key == work.keys ? null : "k" + key;
        transaction.visible = new ArrayList<>();
        if (transaction.key != null) {
            committed.stream().filter(fact -> isOfKey(fact, transaction)).forEach(transaction.visible::add);
            transaction.staged.stream()
                    .filter(fact -> isOfKey(fact, transaction))
                    .forEach(transaction.visible::add);
        }
    }

    private static boolean isOfKey(Fact fact, Transaction transaction) {
        return !fact.takenBack && transaction.key.equals(fact.job.key()) && transaction.topic.equals(fact.job.topic());
    }

    private void stage(Transaction transaction) {
        int rows = 1 + (simulation.chance(0.3) ? 1 : 0);
        List<Fact> before = transaction.visible;
        for (int i = 0; i < rows; i++) {
            long id = store.nextId();
            String name = transaction.topic + "/" + (transaction.key == null ? "-" : transaction.key) + "#" + id;
            Job job = new Job(
                    id,
                    new UUID(simulation.random().nextLong(), simulation.random().nextLong()),
                    transaction.topic,
                    transaction.key,
                    name,
                    null,
                    null,
                    Instant.EPOCH);
            Fact fact = new Fact(job, lane(job), before);
            fact.refused = simulation.chance(work.refused);
            fact.suspect = fact.refused ? simulation.chance(0.5) : work.refused > 0 && simulation.chance(0.1);
            ledger.staged(fact);
            simulation.note("writer", fact.refused ? "stages one to be refused:" : "stages", name);
            transaction.staged.add(fact);
            staged++;
            if (transaction.key != null) {
                before = new ArrayList<>(before);
                before.add(fact);
            }
        }
        transaction.visible = null;
    }

    private int lane(Job job) {
        return (int)
                (job.key() == null
                        ? job.id() % work.lanes
                        : Math.floorMod((job.topic() + job.key()).hashCode(), work.lanes));
    }

    private void end(Transaction transaction) {
        open.remove(transaction);
        store.over(transaction.name);
        unlocking.add(transaction.name);
        if (simulation.chance(0.15)) {
            simulation.note("writer", "rolls back", transaction.staged);
            transaction.staged.forEach(ledger::takenBack);
            return;
        }
        boolean synchronous = !simulation.chance(work.asynchronous);
        simulation.note("writer", synchronous ? "commits" : "commits without the disk", transaction.staged);
        store.commit(transaction.staged, synchronous);
        committed.addAll(transaction.staged);
    }

    /** PostgreSQL has crashed. */
    void connectionsLost() {
        open.forEach(transaction -> transaction.staged.forEach(ledger::takenBack));
        open.clear();
        unlocking.clear();
    }
}
