package io.stagedjobs.enqueuer;

import io.stagedjobs.internal.Backoff;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks for the lanes of this process that rest for want of jobs, all at once, and tells those in which jobs wait. It looks the
 * more often the shorter ago some were found. {@link #lookOnce} is one step and belongs to one thread; the other methods may be called from any.
 */
final class Lookout implements Runnable {

    private static final Logger log = LoggerFactory.getLogger(Lookout.class);
    private static final Backoff FAILURES = new Backoff(Duration.ofMillis(200), Duration.ofSeconds(10));

    private static final Duration PAUSE_MIN = Duration.ofMillis(2);

    /** A pause is this part of the time since jobs were found last: what it adds to a delay is small beside that. */
    private static final int PART_OF_SILENCE = 8;

    private final Lanes lanes;
    private final Supplier<Map<Integer, LaneRunner>> lanesOwned;
    private final Duration pauseMax;
    private final Pauses pauses;
    private final LongSupplier nanoTime;
    private final Rest rest = new Rest();
    private long foundAt;
    private int failures;

    /**
     * @param lanesOwned by number, asked for at each look
     * @param pauseMax the longest time between two looks: an upper bound of the delay that they add
     */
    Lookout(
            Lanes lanes,
            Supplier<Map<Integer, LaneRunner>> lanesOwned,
            Duration pauseMax,
            Pauses pauses,
            LongSupplier nanoTime) {
        this.lanes = lanes;
        this.lanesOwned = lanesOwned;
        this.pauseMax = pauseMax;
        this.pauses = pauses;
        this.nanoTime = nanoTime;
        this.foundAt = nanoTime.getAsLong();
    }

    @Override
    public void run() {
        Duration pause = PAUSE_MIN;
        while (rest.take(pause, failures == 0)) {
            pause = lookOnce();
        }
    }

    /** Somebody says that jobs were committed. */
    void wake() {
        rest.wake();
    }

    void end() {
        rest.end();
    }

    /** Looks once; returns how long to pause before the next look. */
    Duration lookOnce() {
        Map<Integer, LaneRunner> runners = lanesOwned.get();
        Map<Integer, Lanes.Start> resting = new HashMap<>();
        runners.forEach((lane, runner) -> runner.resting().ifPresent(start -> resting.put(lane, start)));
        try {
            if (!resting.isEmpty() && !pauses.everything()) {
                for (int lane : lanes.waiting(resting)) {
                    Objects.requireNonNull(runners.get(lane)).jobsWait();
                    foundAt = nanoTime.getAsLong();
                }
            }
            failures = 0;
            return pause();
        } catch (RuntimeException failed) {
            failures++;
            if (failures == 1) {
                log.debug("could not look for jobs; each lane looks by itself", failed);
            }
            return FAILURES.after(failures, ThreadLocalRandom.current());
        }
    }

    private Duration pause() {
        Duration part = Duration.ofNanos((nanoTime.getAsLong() - foundAt) / PART_OF_SILENCE);
        Duration atLeast = part.compareTo(PAUSE_MIN) < 0 ? PAUSE_MIN : part;
        return atLeast.compareTo(pauseMax) < 0 ? atLeast : pauseMax;
    }
}
