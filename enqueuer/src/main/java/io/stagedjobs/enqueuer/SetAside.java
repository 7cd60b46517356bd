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
 * What of one lane is set aside, as the lane's owner knows it, and what to move next. Held jobs belong to topics that
 * take nothing now, and return by themselves. Parked jobs wait for a person, and so does what follows of their keys.
 *
 * <p>It stays true for one ownership: whoever else moves jobs of the lane takes a new generation. After a failure it is
 * thrown away with the ownership. It belongs to the lane's thread.
 */
final class SetAside {

    /** A missing or forbidden topic is looked at again soon: a person may have just created it. */
    static final Duration LOOK_EVERY = Duration.ofSeconds(5);

    /** Blocked jobs cost each read a little, so the head of the lane is cleared of them now and then. */
    private static final Duration SWEEP_EVERY = Duration.ofMillis(250);

    /** A long stretch of blocked jobs is cleared in larger and larger pieces, up to this many batches at once. */
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

    /** Starts from what is stored; {@link #looked} is due before anything is read. */
    SetAside(LaneTransaction.Stored stored, BatchLimits limits, HeldTopics heldTopics, LongSupplier nanoTime) {
        this.limits = limits;
        this.heldTopics = heldTopics;
        this.nanoTime = nanoTime;
        this.held = new HashSet<>(stored.heldTopics());
        this.parked = stored.anyParked();
        this.lookAt = nanoTime.getAsLong();
        this.sweepAt = lookAt;
    }

    /** What an operator has paused, by topic; true for the step that begins now. */
    void pause(Map<String, Refusal> topics) {
        paused = topics;
    }

    /** The topics to ask Kafka about now; empty if none is held or the last answer is fresh. */
    Set<String> toLookAt() {
        return held.isEmpty() || nanoTime.getAsLong() - lookAt < 0 ? Set.of() : Set.copyOf(held);
    }

    /** Takes note of which topics take nothing, out of those that were asked about. */
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
     * Puts back what may flow again, and sets aside what blocks the lane's head; returns how many jobs that were.
     *
     * @param position learns what came back and what was cleared
     * @param horizon what was known before the transaction began
     */
    int tend(LaneTransaction transaction, ReadPosition position, CommitHorizon.View horizon) {
        int moved = 0;
        returningFrom = new HashMap<>();
        for (String topic : returning()) {
            PutBack back = transaction.putBack(topic, limits);
            moved += back.rows();
            position.reset(); // they lie below the floor
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
        if (returningFrom.isEmpty()) { // else more is blocked than a sweep moves
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

    /** What the next read has to leave out, so that no job overtakes an earlier one of its key. */
    Blocked blocked() {
        return new Blocked(closed().keySet(), Map.copyOf(returningFrom), parked);
    }

    /** Takes note of what was moved aside, and of the topics that refused. */
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
