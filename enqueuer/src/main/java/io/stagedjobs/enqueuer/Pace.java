package io.stagedjobs.enqueuer;

import io.stagedjobs.internal.Backoff;
import java.time.Duration;
import java.util.random.RandomGenerator;

/** How long a lane rests: not at all while jobs come, longer and longer while steps fail. */
final class Pace {

    private static final Backoff FAILURES = new Backoff(Duration.ofMillis(200), Duration.ofSeconds(10));

    private final RandomGenerator random;
    private int failures;

    Pace(RandomGenerator random) {
        this.random = random;
    }

    Duration busy() {
        failures = 0;
        return Duration.ZERO;
    }

    /** All is well, and there is nothing to do before {@code rest} is over. */
    Duration idle(Duration rest) {
        failures = 0;
        return rest;
    }

    /** Another owner, or a person, was faster: no failure, but a rest so that owners do not chase each other. */
    Duration outrun() {
        return FAILURES.after(1, random);
    }

    Duration failed() {
        return FAILURES.after(++failures, random);
    }

    /** Failed steps since the last one that worked. */
    int failures() {
        return failures;
    }
}
