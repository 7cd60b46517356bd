package io.stagedjobs.daemon.cli;

import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.daemon.admin.AdminServer;
import io.stagedjobs.daemon.admin.Binding;
import io.stagedjobs.daemon.admin.Tokens;
import io.stagedjobs.daemon.outbox.PostgresOutbox;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.assembly.DoctorAssembly;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The daemon: publishes until a signal ends it. */
@Command(
        name = "run",
        description = "Publishes staged jobs until SIGTERM or SIGINT; then finishes its batches or rolls them back, and"
                + " exits with 0.",
        exitCodeList = {
            "0:a signal ended it",
            "1:could not start; standard error says why and what to do",
            "2:wrong usage or settings; nothing was started",
            "3:the virtual machine failed, as without memory; no job is lost"
        },
        footer = {"  staged-jobs run", "  staged-jobs run --config-file /etc/staged-jobs/staged-jobs.properties"},
        mixinStandardHelpOptions = true)
final class RunCommand implements Callable<Integer> {

    private static final Logger log = LoggerFactory.getLogger(RunCommand.class);

    /** The bound that operators rely on is 15 s, the start of this thread included. */
    private static final Duration END_MAX = Duration.ofSeconds(14);

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() throws InterruptedException {
        Settings settings = Cli.settings(spec);
        Binding binding = binding(settings);
        Health health = new Health();
        PrometheusMeterRegistry registry = registry();
        AdminServer admin = listen(binding, health, registry, settings);
        EnqueuerAssembly assembly;
        try {
            assembly = new EnqueuerAssembly(settings, health, registry);
        } catch (RuntimeException e) {
            admin.close();
            throw e;
        }
        endOnSignal(assembly, admin);
        assembly.start();
        log.info(
                "enqueuer started, delivery {}, admin on http://{}:{}/",
                settings.get(Setting.DELIVERY),
                binding.host(),
                admin.port());
        admin.start(); // after the lanes: jobs do not wait for it, and early requests do
        new CountDownLatch(1).await(); // the signal's thread ends the process
        return 0;
    }

    private static AdminServer listen(
            Binding binding, Health health, PrometheusMeterRegistry registry, Settings settings) {
        try {
            return new AdminServer(
                    binding,
                    health,
                    registry,
                    new PostgresOutbox(settings, PostgresOutbox.PATIENCE),
                    () -> DoctorAssembly.doctor(settings).examine());
        } catch (IOException | RuntimeException e) {
            throw new CommandFailedException(
                    "could not listen on " + binding.host() + ":" + binding.port() + " (" + e.getMessage()
                            + "). Nothing was started. Free the port or set STAGED_JOBS_ADMIN_PORT.",
                    e);
        }
    }

    /**
     * The virtual machine would exit with 143 after SIGTERM; a clean end is exit code 0. So is an end that was cut off
     * after {@link #END_MAX}: PostgreSQL rolls open transactions back.
     */
    private static void endOnSignal(EnqueuerAssembly assembly, AdminServer admin) {
        Thread end = new Thread(
                () -> {
                    log.info("told to end");
                    admin.close();
                    assembly.close();
                    log.info("ended");
                },
                "end");
        Thread onSignal = new Thread(
                () -> {
                    end.start();
                    try {
                        end.join(END_MAX.toMillis());
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    Runtime.getRuntime().halt(0);
                },
                "signal");
        Runtime.getRuntime().addShutdownHook(onSignal);
    }

    private static Binding binding(Settings settings) {
        Binding binding = new Binding(
                settings.get(Setting.ADMIN_HOST),
                settings.get(Setting.ADMIN_PORT),
                new Tokens(settings.secret(Setting.ADMIN_TOKEN), settings.secret(Setting.ADMIN_TOKEN_READONLY)));
        if (!binding.tokens().required() && !binding.isLoopback()) {
            throw new SettingsException(List.of("setting admin.host is " + binding.host()
                    + ", which other machines can reach, but there is no admin.token. Set STAGED_JOBS_ADMIN_TOKEN (or"
                    + " STAGED_JOBS_ADMIN_TOKEN_FILE), or bind 127.0.0.1."));
        }
        return binding;
    }

    @SuppressWarnings("resource") // bound for the life of the process
    private static PrometheusMeterRegistry registry() {
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        new ClassLoaderMetrics().bindTo(registry);
        new JvmMemoryMetrics().bindTo(registry);
        new JvmGcMetrics().bindTo(registry);
        new JvmThreadMetrics().bindTo(registry);
        new ProcessorMetrics().bindTo(registry);
        new UptimeMetrics().bindTo(registry);
        return registry;
    }
}
