package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import io.stagedjobs.enqueuer.LaneTransaction.PutBack;
import io.stagedjobs.enqueuer.LaneTransaction.Swept;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;

/**
 * The owner's knowledge of the jobs of a lane that were moved aside; decides which to move next. Held jobs belong to
 * topics that take no jobs now, and return by themselves. Parked jobs wait for a person, and so do later jobs of their
 * keys.
 *
 * <p>It stays true for one ownership, because anybody else who moves jobs of the lane takes a new generation. After a
 * failure it is discarded with the ownership. It belongs to the lane's thread.
 */
final class MovedAside {

    /** How often to look at a missing or forbidden topic again: a person may have just created it. */
    static final Duration LOOK_EVERY = Duration.ofSeconds(5);

    /** Blocked jobs cost each read a little, so a sweep clears the head of the lane now and then. */
    private static final Duration SWEEP_EVERY = Duration.ofMillis(250);

    /** Sweeps of a long stretch of blocked jobs grow, up to this many batches at once. */
    private static final int SWEEP_BATCHES_MAX = 8;

    private final BatchLimits limits;
    private final HeldTopics heldTopics;
    private final LongSupplier nanoTime;

    private final Set<String> held;
    private boolean parked;

    private Map<String, Refusal> paused = Map.of();
    private Map<String, Refusal> refused = Map.of();
    private Map<String, Long> returningFrom = new HashMap<>();
    private long lookAt;
    private long sweepAt;
    private int sweepBatches = 1;

    /** Starts from the stored jobs; call {@link #looked} before the first read. */
    MovedAside(LaneTransaction.Stored stored, BatchLimits limits, HeldTopics heldTopics, LongSupplier nanoTime) {
        this.limits = limits;
        this.heldTopics = heldTopics;
        this.nanoTime = nanoTime;
        this.held = new HashSet<>(stored.heldTopics());
        this.parked = stored.anyParked();
        this.lookAt = nanoTime.getAsLong();
        this.sweepAt = lookAt;
    }

    /** Sets the topics that an operator has paused, for the step that begins now. */
    void pause(Map<String, Refusal> topics) {
        paused = topics;
    }

    /** The topics to ask Kafka about now; empty if none is held or the last answer is fresh. */
    Set<String> toLookAt() {
        return held.isEmpty() || nanoTime.getAsLong() - lookAt < 0 ? Set.of() : Set.copyOf(held);
    }

    /** Records which of the topics asked about take no jobs. */
    void looked(Map<String, Refusal> refusedNow) {
        held.stream()
                .filter(topic -> refused.containsKey(topic) && !refusedNow.containsKey(topic))
                .forEach(heldTopics::takesJobs);
        refused = Map.copyOf(refusedNow);
        lookAt = nanoTime.getAsLong() + LOOK_EVERY.toNanos();
    }

    /**
     * Whether {@link #tend} has something to do.
     *
     * @param anyWaiting whether a job waits in the lane
     */
    boolean needsTending(boolean anyWaiting) {
        return !returning().isEmpty() || (anyWaiting && sweepDue());
    }

    /**
     * Puts back jobs that may flow again, and moves blocked jobs at the lane's head aside; returns the number of moved
     * jobs.
     *
     * @param position is updated for returned jobs and for the sweep
     * @param horizon the view before the transaction began
     */
    int tend(LaneTransaction transaction, ReadPosition position, CommitHorizon.View horizon) {
        int moved = 0;
        returningFrom = new HashMap<>();
        for (String topic : returning()) {
            PutBack back = transaction.putBack(topic, limits);
            moved += back.rows();
            position.reset(); // they are below the floor
            if (back.nextHeld().isPresent()) {
                returningFrom.put(topic, back.nextHeld().getAsLong());
            } else {
                held.remove(topic);
            }
        }
        position.block(blocked());
        return moved + (sweepDue() ? sweep(transaction, position, horizon) : 0);
    }

    private int sweep(LaneTransaction transaction, ReadPosition position, CommitHorizon.View horizon) {
        Map<String, Refusal> closed = closed();
        int rowsMax = limits.rowsMax() * sweepBatches;
        Swept swept =
                transaction.sweep(closed, new BatchLimits(rowsMax, limits.bytesMax() * sweepBatches), position.floor());
        if (returningFrom.isEmpty()) { // otherwise more jobs are blocked than a sweep moves
            position.swept(swept.through(), horizon);
        }
        int moved = swept.moved();
        if (moved > 0) {
            held.addAll(closed.keySet());
        }
        sweepBatches = moved > 0 ? Math.min(2 * sweepBatches, SWEEP_BATCHES_MAX) : 1;
        sweepAt = nanoTime.getAsLong() + (moved > 0 ? 0 : SWEEP_EVERY.toNanos());
        return moved;
    }

    private boolean sweepDue() {
        return nanoTime.getAsLong() - sweepAt >= 0 && (parked || !closed().isEmpty());
    }

    private Set<String> returning() {
        return held.stream()
                .filter(topic -> !refused.containsKey(topic) && !paused.containsKey(topic))
                .collect(Collectors.toSet());
    }

    private Map<String, Refusal> closed() {
        Map<String, Refusal> closed = new HashMap<>(paused);
        closed.putAll(refused);
        return closed;
    }

    /** The jobs that the next read must leave out, so that no job overtakes an earlier one of its key. */
    Blocked blocked() {
        return new Blocked(closed().keySet(), Map.copyOf(returningFrom), parked);
    }

    /** Records the jobs that were moved aside, and the refused topics. */
    void moved(List<Moved> jobs, Outcome outcome) {
        if (jobs.isEmpty()) {
            return;
        }
        parked |= jobs.stream().anyMatch(job -> !job.held());
        Map<String, Refusal> all = new HashMap<>(refused);
        outcome.refusedTopics().forEach((topic, refusal) -> {
            if (refusal.reason().passes()) {
                held.add(topic);
                all.put(topic, refusal);
                heldTopics.held(topic, refusal);
            }
        });
        if (refused.isEmpty() && !all.isEmpty()) {
            lookAt = nanoTime.getAsLong() + LOOK_EVERY.toNanos();
        }
        refused = Map.copyOf(all);
    }
}
