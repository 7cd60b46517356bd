package io.stagedjobs.demo;

import io.stagedjobs.sample.PublishedJob;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Prints the jobs that arrive: all of them, or only the first few of a story that has hundreds. */
final class Arrivals implements Consumer<PublishedJob> {

    private final PrintStream out;
    private final long linesMax;

    /** Guarded by this; notified when it grows. */
    private long count;

    Arrivals(PrintStream out, long linesMax) {
        this.out = out;
        this.linesMax = linesMax;
    }

    @Override
    public synchronized void accept(PublishedJob job) {
        count++;
        if (count <= linesMax) {
            out.println("  arrived: " + job.line());
        } else if (count == linesMax + 1) {
            out.println("  arrived: ... and so on");
        }
        notifyAll();
    }

    /**
     * Waits until this many jobs have arrived, or time is up.
     *
     * @return the number of arrived jobs, including repeated ones
     */
    synchronized long await(long wanted, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (count < wanted) {
            long leftMillis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (leftMillis <= 0) {
                break;
            }
            wait(leftMillis);
        }
        return count;
    }
}
