package io.stagedjobs.enqueuer;

import io.stagedjobs.internal.Backoff;
import java.time.Duration;
import java.util.random.RandomGenerator;

/** How long a lane rests: not at all while jobs come, longer and longer while none do or while steps fail. */
final class Pace {

    private static final Duration IDLE_FIRST = Duration.ofMillis(2);
    private static final Backoff FAILURES = new Backoff(Duration.ofMillis(200), Duration.ofSeconds(10));

    private final Duration idleMax;
    private final RandomGenerator random;
    private Duration idle = IDLE_FIRST;
    private int failures;
    private boolean idling;

    /** @param idleMax the longest rest while nothing waits: an upper bound of the delay that polling adds */
    Pace(Duration idleMax, RandomGenerator random) {
        this.idleMax = idleMax;
        this.random = random;
    }

    Duration busy() {
        idle = IDLE_FIRST;
        failures = 0;
        idling = false;
        return Duration.ZERO;
    }

    Duration idle() {
        Duration rest = idle.compareTo(idleMax) < 0 ? idle : idleMax;
        idle = rest.multipliedBy(2);
        failures = 0;
        idling = true;
        return rest;
    }

    /** Whether the rest that was given last is one of a lane in which all is well and nothing waits. */
    boolean isIdle() {
        return idling;
    }

    /** Another owner, or a person, was faster: no failure, but a rest so that owners do not chase each other. */
    Duration outrun() {
        idling = false;
        return FAILURES.after(1, random);
    }

    Duration failed() {
        idling = false;
        return FAILURES.after(++failures, random);
    }

    /** Failed steps since the last one that worked. */
    int failures() {
        return failures;
    }
}
