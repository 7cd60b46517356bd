package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import io.stagedjobs.enqueuer.LaneTransaction.PutBack;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.LaneTransaction.Swept;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What of one lane is moved aside, as the lane's owner knows it, and what is to be moved next. Held jobs belong to topics
 * that take nothing now, and return by themselves; parked ones wait for a person, and so does what follows of their keys.
 *
 * <p>It stays true for one ownership: whoever else moves jobs of the lane takes a new generation. After a failure it is
 * thrown away with the ownership. It belongs to the lane's thread.
 */
final class Aside {

    /** A missing or forbidden topic is looked at again soon: a person may have just created it. */
    static final Duration LOOK_EVERY = Duration.ofSeconds(5);

    /** Jobs that are blocked cost each read a little, so that the lane's head is cleared of them now and then. */
    private static final Duration SWEEP_EVERY = Duration.ofMillis(250);

    /** A long stretch of blocked jobs is cleared in larger and larger pieces, up to so many batches at once. */
    private static final int SWEEP_BATCHES_MAX = 8;

    /** A producer of bad jobs makes many of them. */
    private static final int WARN_EVERY = 100;

    private static final Logger log = LoggerFactory.getLogger(Aside.class);

    private final int lane;
    private final BatchLimits limits;
    private final LongSupplier nanoTime;

    private final Set<String> held;
    private boolean parked;

    private Map<String, Refusal> refused = Map.of();
    private Map<String, Long> returningFrom = new HashMap<>();
    private long lookAt;
    private long sweepAt;
    private int sweepBatches = 1;
    private long parkedSoFar;

    /** Starts from what is stored; {@link #looked} is due before anything is read. */
    Aside(int lane, LaneTransaction.Stored stored, BatchLimits limits, LongSupplier nanoTime) {
        this.lane = lane;
        this.limits = limits;
        this.nanoTime = nanoTime;
        this.held = new HashSet<>(stored.heldTopics());
        this.parked = stored.anyParked();
        this.lookAt = nanoTime.getAsLong();
        this.sweepAt = lookAt;
    }

    /** The topics to ask Kafka about now; empty if none is held or the last answer is fresh. */
    Set<String> toLookAt() {
        return held.isEmpty() || nanoTime.getAsLong() - lookAt < 0 ? Set.of() : Set.copyOf(held);
    }

    /** Whether jobs are held that may return at any time. */
    boolean anyHeld() {
        return !held.isEmpty();
    }

    /** Takes note of which topics take nothing, out of those that were asked about. */
    void looked(Map<String, Refusal> refusedNow) {
        held.stream()
                .filter(topic -> refused.containsKey(topic) && !refusedNow.containsKey(topic))
                .forEach(topic -> log.info("lane {}: topic {} takes jobs again", lane, topic));
        refused = Map.copyOf(refusedNow);
        lookAt = nanoTime.getAsLong() + LOOK_EVERY.toNanos();
    }

    /**
     * Whether {@link #tend} has something to do.
     *
     * @param anyWaiting whether a job waits in the lane
     */
    boolean needsTending(Map<String, Refusal> paused, boolean anyWaiting) {
        return !returning(paused).isEmpty() || (anyWaiting && sweepDue(paused));
    }

    /**
     * Puts back what may flow again, and moves aside what blocks the lane's head; returns how many jobs that were.
     *
     * @param floor of the lane; learns what came back and what was cleared
     * @param horizon what was known before the transaction began
     */
    int tend(LaneTransaction transaction, Map<String, Refusal> paused, Floor floor, Horizon.View horizon) {
        int moved = 0;
        returningFrom = new HashMap<>();
        for (String topic : returning(paused)) {
            PutBack back = transaction.putBack(topic, limits);
            moved += back.rows();
            floor.forget(); // they lie below it
            if (back.nextHeld().isPresent()) {
                returningFrom.put(topic, back.nextHeld().getAsLong());
            } else {
                held.remove(topic);
            }
        }
        floor.in(horizon, blocked(paused));
        return moved + (sweepDue(paused) ? sweep(transaction, paused, floor) : 0);
    }

    private int sweep(LaneTransaction transaction, Map<String, Refusal> paused, Floor floor) {
        Map<String, Refusal> closed = closed(paused);
        int rowsMax = limits.rowsMax() * sweepBatches;
        Swept swept =
                transaction.sweep(closed, new BatchLimits(rowsMax, limits.bytesMax() * sweepBatches), floor.settled());
        if (returningFrom.isEmpty()) { // else more is blocked than a sweep moves
            floor.swept(swept.through());
        }
        int moved = swept.moved();
        if (moved > 0) {
            held.addAll(closed.keySet());
        }
        sweepBatches = moved > 0 ? Math.min(2 * sweepBatches, SWEEP_BATCHES_MAX) : 1;
        sweepAt = nanoTime.getAsLong() + (moved > 0 ? 0 : SWEEP_EVERY.toNanos());
        return moved;
    }

    private boolean sweepDue(Map<String, Refusal> paused) {
        return nanoTime.getAsLong() - sweepAt >= 0 && (parked || !closed(paused).isEmpty());
    }

    private Set<String> returning(Map<String, Refusal> paused) {
        return held.stream()
                .filter(topic -> !refused.containsKey(topic) && !paused.containsKey(topic))
                .collect(Collectors.toSet());
    }

    private Map<String, Refusal> closed(Map<String, Refusal> paused) {
        Map<String, Refusal> closed = new HashMap<>(paused);
        closed.putAll(refused);
        return closed;
    }

    /** What the next read has to leave out, so that no job overtakes an earlier one of its key. */
    Blocked blocked(Map<String, Refusal> paused) {
        return new Blocked(closed(paused).keySet(), Map.copyOf(returningFrom), parked);
    }

    /**
     * Which jobs of a batch are to be moved aside after that outcome: those that were refused, and what follows of the same
     * key. All others were published or are free to try again.
     */
    static List<Moved> toMove(List<Job> jobs, Outcome outcome) {
        if (outcome.published().size() == jobs.size()) {
            return List.of();
        }
        Set<Long> published = outcome.published().stream().map(Job::id).collect(Collectors.toSet());
        Map<List<String>, Refusal> followers = new HashMap<>();
        List<Moved> moved = new ArrayList<>();
        for (Job job : jobs) {
            if (published.contains(job.id())) {
                continue;
            }
            Refusal ofTopic = outcome.refusedTopics().get(job.topic());
            Refusal own = outcome.refusedJobs().get(job.id());
            Refusal follows = job.key() == null ? null : followers.get(List.of(job.topic(), job.key()));
            if (ofTopic != null) {
                moved.add(new Moved(Row.of(job), ofTopic.reason().passes(), ofTopic));
            } else if (own != null) {
                moved.add(new Moved(Row.of(job), false, own));
                if (job.key() != null) {
                    followers.putIfAbsent(List.of(job.topic(), job.key()), Refusal.follows(job.id()));
                }
            } else if (follows != null) {
                moved.add(new Moved(Row.of(job), false, follows));
            }
        }
        return moved;
    }

    /** Takes note of what was moved aside. */
    void moved(List<Moved> jobs, Outcome outcome) {
        if (jobs.isEmpty()) {
            return;
        }
        for (Moved job : jobs) {
            if (!job.held()) {
                parked = true;
                if (job.why().reason() != Refusal.Reason.FOLLOWS && parkedSoFar++ % WARN_EVERY == 0) {
                    log.warn(
                            "lane {}: parked the job with id {}: {}. What follows of its key joins it; see `staged-jobs"
                                    + " parked list`. The next {} are not told here.",
                            lane,
                            job.row().id(),
                            job.why().detail(),
                            WARN_EVERY - 1);
                }
            }
        }
        Map<String, Refusal> all = new HashMap<>(refused);
        outcome.refusedTopics().forEach((topic, refusal) -> {
            if (!refusal.reason().passes()) {
                return;
            }
            held.add(topic);
            if (all.put(topic, refusal) == null) {
                log.warn(
                        "lane {}: topic {} takes no jobs: {}. They are held and return by themselves, none is lost; other"
                                + " topics flow. Next look in {} s.",
                        lane,
                        topic,
                        refusal.detail(),
                        LOOK_EVERY.toSeconds());
            }
        });
        if (refused.isEmpty() && !all.isEmpty()) {
            lookAt = nanoTime.getAsLong() + LOOK_EVERY.toNanos();
        }
        refused = Map.copyOf(all);
    }
}
