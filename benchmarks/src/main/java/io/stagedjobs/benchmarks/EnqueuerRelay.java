package io.stagedjobs.benchmarks;

import io.stagedjobs.enqueuer.settings.Durations;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The enqueuer of this tree or of another one, started by its launcher.
 *
 * @param mode its mode of delivery
 */
record EnqueuerRelay(String mode, Build build) implements Relay {

    private static final Duration COMMAND_MAX = Duration.ofMinutes(1);

    private static final Pattern TAKEOVER_AFTER =
            Pattern.compile("(\\S+)\\s+unless\\s+set\\s+\\(STAGED_JOBS_TAKEOVER_AFTER");

    @Override
    public String label() {
        return mode + build.suffix();
    }

    @Override
    public String control() {
        return NoRelay.LABEL + build.suffix();
    }

    /** By the tree's own command, since trees may have different schemas. */
    @Override
    public void install(TestDatabase database) {
        List<String> args = new ArrayList<>(List.of("migrate"));
        args.addAll(build.migrate());
        try (ChildProcess process = start(args, List.of(), settings(database))) {
            if (process.awaitExit(COMMAND_MAX) != 0) {
                throw new IllegalStateException(
                        label() + " could not make its tables: " + String.join("\n  ", process.output()));
            }
        }
    }

    @Override
    public String insert() {
        return "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                + " SELECT topic, job_key, 'measured', convert_to(payload, 'UTF8')";
    }

    @Override
    public ChildProcess start(Launch launch) {
        Map<String, String> settings = settings(launch.database());
        settings.put("STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS", launch.bootstrapServers());
        settings.put("STAGED_JOBS_ADMIN_PORT", "0");
        settings.put("STAGED_JOBS_DELIVERY", mode);
        build.settings().forEach((name, value) -> settings.put("STAGED_JOBS_" + name, value));
        return start(List.of("run"), launch.jvm(), settings);
    }

    /** The age of a dead one's last heartbeat at which others take its lanes: as set here, else as its help says. */
    Duration takeoverAfter() {
        String set = build.settings().get("TAKEOVER_AFTER");
        if (set == null) {
            try (ChildProcess help = start(List.of("run", "--help"), List.of(), new HashMap<>())) {
                help.awaitExit(COMMAND_MAX);
                Matcher found = TAKEOVER_AFTER.matcher(String.join("\n", help.stdout()));
                set = found.find() ? found.group(1) : "";
            }
        }
        return Durations.parse(set);
    }

    private ChildProcess start(List<String> args, List<String> jvm, Map<String, String> settings) {
        List<String> command = new ArrayList<>(List.of(build.launcher()));
        command.addAll(args);
        settings.put("JAVA_HOME", build.java());
        settings.put("STAGED_JOBS_JAVA_OPTS", String.join(" ", jvm));
        return ChildProcess.start(label(), command, settings);
    }

    private static Map<String, String> settings(TestDatabase database) {
        return new HashMap<>(Map.of(
                "STAGED_JOBS_DATABASE_URL", database.url(),
                "STAGED_JOBS_DATABASE_USERNAME", database.username(),
                "STAGED_JOBS_DATABASE_PASSWORD", database.password()));
    }
}
