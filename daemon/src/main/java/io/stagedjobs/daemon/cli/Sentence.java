package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.BackgroundThreads;
import io.stagedjobs.enqueuer.diagnosis.Diagnosis;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The doctor's sentence. The doctor takes seconds, so a thread asks it every ten seconds. */
final class Sentence implements AutoCloseable {

    private static final long EVERY_SECONDS = 10;

    /** @param nanos when, by a clock that cannot jump */
    record Answer(String why, boolean wrong, long nanos) {

        Line line() {
            double seconds = (System.nanoTime() - nanos) / 1e9;
            return new Line(
                    wrong ? Style.BAD : Style.PLAIN,
                    Cli.printable(why) + (seconds < 5 ? "" : " (" + Figures.seconds(seconds) + " ago)"));
        }
    }

    private final Supplier<Diagnosis> doctor;
    private final ScheduledExecutorService clock =
            Executors.newSingleThreadScheduledExecutor(BackgroundThreads.daemons("doctor"));
    private volatile @Nullable Answer answer;

    /** @param doctor asked on a thread of this object */
    Sentence(Supplier<Diagnosis> doctor) {
        this.doctor = doctor;
    }

    @SuppressWarnings("FutureReturnValueIgnored") // it ends with the executor
    void start() {
        clock.scheduleWithFixedDelay(this::ask, 0, EVERY_SECONDS, TimeUnit.SECONDS);
    }

    private void ask() {
        try {
            Diagnosis diagnosis = doctor.get();
            answer = new Answer(diagnosis.why(), diagnosis.isWrong(), System.nanoTime());
        } catch (RuntimeException unexpected) {
            answer = new Answer("The doctor failed: " + unexpected, true, System.nanoTime());
        }
    }

    /** Null until the doctor has answered for the first time. */
    @Nullable
    Answer answer() {
        return answer;
    }

    @Override
    public void close() {
        clock.shutdownNow();
    }
}
