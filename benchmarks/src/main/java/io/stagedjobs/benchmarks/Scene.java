package io.stagedjobs.benchmarks;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that all measurements of relays share: which, with what jobs, and what goes on beside. */
final class Scene {

    /** What else is going on in the database meanwhile. */
    enum Beside {
        NOTHING,
        SNAPSHOT,
        IDLE_WRITER,
        IDLE_STAGER
    }

    @Option(
            names = "--relays",
            split = ",",
            description = "at-least-once, exactly-once, textbook, debezium, gruelbox, namastack; none is the control of"
                    + " steady; default: ${DEFAULT-VALUE}")
    List<String> relays = List.of("textbook", "at-least-once", "exactly-once");

    @Option(names = "--bytes", description = "of a payload; default: ${DEFAULT-VALUE}")
    int bytes = 200;

    @Option(names = "--keys", description = "default: ${DEFAULT-VALUE}")
    int keys = 10_000;

    @Option(names = "--repetitions", description = "default: ${DEFAULT-VALUE}")
    int repetitions = 3;

    @Option(
            names = "--beside",
            split = ",",
            description =
                    "NOTHING, SNAPSHOT (an old REPEATABLE READ snapshot), IDLE_WRITER (an open transaction that wrote"
                            + " elsewhere) or IDLE_STAGER (one that staged a job), several in turn;"
                            + " default: ${DEFAULT-VALUE}")
    List<Beside> besides = List.of(Beside.NOTHING);

    @Option(
            names = "--before",
            description = "jobs that go through before what is measured, with what goes on beside; default:"
                    + " ${DEFAULT-VALUE}")
    int before = 0;

    @Option(
            names = "--jvm",
            split = " ",
            description = "options of all relays' virtual machines; default: ${DEFAULT-VALUE}")
    List<String> jvm = List.of("-Xmx256m", "-XX:+UseSerialGC");

    @Option(names = "--java", paramLabel = "HOME", description = "the Java of our relays; default: that of this run")
    String java = System.getProperty("java.home");

    @Option(
            names = "--cache",
            description =
                    "this tree's enqueuer records a cache first, and is measured with it; the baseline's without one")
    boolean cache;

    @Option(names = "--setting", description = "of this tree's relay, NAME=VALUE without STAGED_JOBS_; repeatable")
    Map<String, String> settings = new HashMap<>();

    @Option(names = "--lanes", paramLabel = "N", description = "of this tree's relay: handed to its migrate")
    @Nullable
    Integer lanes;

    @Option(
            names = "--baseline",
            paramLabel = "DIR",
            description =
                    "another checkout of this project (absolute, or from the top of this tree), whose enqueuer takes"
                            + " turns with this one; it is built if that was not done before")
    @Nullable
    Path baseline;

    @Option(names = "--baseline-setting", description = "as --setting, of the baseline's relay")
    Map<String, String> baselineSettings = new HashMap<>();

    private @Nullable List<Relay> made;

    /** What is done with each relay, beside each of what goes on. */
    interface Measurement {
        void take(Relay relay, Beside beside) throws Exception;
    }

    /**
     * Takes a measurement of each relay in turn, and that again and again, so that drift affects all of them. Every
     * second time the order is reversed: the first relay of a run meets a broker and a PostgreSQL that are still cold.
     */
    void inTurn(Measurement measurement) throws Exception {
        if (cache) {
            CacheCommand.record(java, CacheCommand.JOBS);
        }
        for (int i = 0; i < repetitions; i++) {
            List<Relay> order = new ArrayList<>(relays());
            if (i % 2 == 1) {
                Collections.reverse(order);
                order.sort(Comparator.comparing(Relay::publishes)); // what others are compared with still comes first
            }
            for (Relay relay : order) {
                for (Beside beside : besides) {
                    measurement.take(relay, beside);
                }
            }
        }
    }

    /** Those asked for, the baseline's behind ours; what others are compared with comes first. */
    List<Relay> relays() {
        if (made == null) {
            Build theirs =
                    baseline == null ? null : new Build(baseline, " (baseline)", List.of(), baselineSettings, java);
            if (theirs != null) {
                System.out.println("baseline: commit " + theirs.commit());
            }
            List<Relay> all = new ArrayList<>();
            for (String name : relays) {
                all.add(Relays.of(name, build()));
                if (theirs != null && Relays.OF_A_BUILD.contains(name)) {
                    all.add(Relays.of(name, theirs));
                }
            }
            all.sort(Comparator.comparing(Relay::publishes));
            made = all;
        }
        return made;
    }

    /** As {@link #relays}, of which each has to publish. */
    List<Relay> publishing() {
        if (!relays().stream().allMatch(Relay::publishes)) {
            throw new IllegalArgumentException("relay none publishes nothing: it is for steady only");
        }
        return relays();
    }

    /** This tree's enqueuer, whatever relays were asked for. */
    Relay ours() {
        return new EnqueuerRelay("at-least-once", build());
    }

    private Build build() {
        List<String> migrate = lanes == null ? List.of() : List.of("--lanes", "" + lanes);
        return new Build(Path.of("."), "", migrate, settings, java);
    }

    /** What the figures are told under. */
    String label(String relay, Beside beside) {
        return besides.equals(List.of(Beside.NOTHING)) ? relay : relay + ", " + beside;
    }

    /**
     * Makes a database and a topic of their own; with jobs before, lets them go through and leaves the relay running.
     */
    Stage set(Servers servers, Relay relay, Beside beside) throws Exception {
        Stage stage = new Stage(this, servers, relay);
        try {
            stage.open(beside);
            return stage;
        } catch (Exception | Error e) {
            stage.close();
            throw e;
        }
    }

    String words() {
        return String.format("%,d bytes, %,d keys, %,d before", bytes, keys, before);
    }
}
