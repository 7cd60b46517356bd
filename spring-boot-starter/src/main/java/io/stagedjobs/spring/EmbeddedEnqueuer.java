package io.stagedjobs.spring;

import io.micrometer.core.instrument.MeterRegistry;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.internal.Backoff;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

/**
 * An enqueuer that lives as long as its application runs.
 *
 * <p>The application starts even if PostgreSQL or Kafka is down: a thread retries until the enqueuer has started, and
 * {@link #problems} gives the reason meanwhile. It starts before the web server and stops after it, within little more
 * than 10 s, and gives its lanes back. Its threads keep the virtual machine running until the application is closed. It
 * can be restarted after a stop.
 */
final class EmbeddedEnqueuer implements SmartLifecycle {

    private static final Logger log = LoggerFactory.getLogger(EmbeddedEnqueuer.class);
    private static final Backoff START_AGAIN = new Backoff(Duration.ofSeconds(1), Duration.ofSeconds(20));
    private static final Duration START_ENDS_MAX = Duration.ofSeconds(5);

    private final Settings settings;
    private final MeterRegistry registry;
    private volatile @Nullable Run current;

    EmbeddedEnqueuer(Settings settings, MeterRegistry registry) {
        this.settings = settings;
        this.registry = registry;
    }

    @Override
    public synchronized void start() {
        if (current == null) {
            Run run = new Run();
            current = run;
            run.thread.start();
        }
    }

    @Override
    public synchronized void stop() {
        Run run = current;
        if (run != null) {
            run.end();
            current = null;
        }
    }

    @Override
    public boolean isRunning() {
        return current != null;
    }

    /** Spring's web servers have much higher phases. */
    @Override
    public int getPhase() {
        return 0;
    }

    /** The reasons by problem, as in {@link Health#problems}; empty if everything works. */
    Map<String, String> problems() {
        Run run = current;
        return run == null ? Map.of(Origin.ENQUEUER.label(), "stopped") : run.problems();
    }

    /** From one start to the next stop. */
    private final class Run implements Runnable {

        private final Health health = new Health();
        private final CountDownLatch end = new CountDownLatch(1);
        private final Thread thread = new Thread(this, "staged-jobs-start");
        private volatile @Nullable Map<String, String> notStarted;
        private @Nullable EnqueuerAssembly assembly;

        @Override
        public void run() {
            int failures = 0;
            Duration pause = Duration.ZERO;
            while (!ended(pause)) {
                try {
                    startOrClose(new EnqueuerAssembly(settings, health, registry));
                    notStarted = null;
                    return;
                } catch (RuntimeException e) {
                    String reason = EnqueuerSettings.inSpringsWords(String.valueOf(e.getMessage()));
                    Origin origin = e instanceof ExternalFailureException outside ? outside.origin() : Origin.ENQUEUER;
                    notStarted = Map.of(origin.label(), reason);
                    pause = START_AGAIN.after(++failures, ThreadLocalRandom.current());
                    if (failures == 1 || failures % 20 == 0) {
                        log.warn(
                                "could not start the enqueuer ({} time(s) in a row): {} Jobs can be staged and"
                                        + " wait. Next try in {} ms.",
                                failures,
                                reason.endsWith(".") ? reason : reason + ".",
                                pause.toMillis());
                    }
                }
            }
        }

        private boolean ended(Duration pause) {
            try {
                return end.await(pause.toNanos(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return true;
            }
        }

        private synchronized void startOrClose(EnqueuerAssembly built) {
            if (end.getCount() == 0) {
                built.close();
                return;
            }
            assembly = built;
            built.start();
            log.info("the enqueuer inside this application started");
        }

        void end() {
            end.countDown();
            EnqueuerAssembly started;
            synchronized (this) {
                started = assembly;
            }
            if (started != null) {
                started.close();
                log.info("the enqueuer inside this application ended");
                return;
            }
            try {
                thread.join(
                        START_ENDS_MAX.toMillis()); // a start that is asking a broker closes by itself what it opened
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        Map<String, String> problems() {
            Map<String, String> reasons = notStarted;
            return reasons == null ? health.problems() : reasons;
        }
    }
}
