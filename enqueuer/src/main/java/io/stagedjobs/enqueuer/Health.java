package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.Membership.Problem;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The current problems: PostgreSQL, Kafka, a lane that fails or is halted. Thread-safe. */
public final class Health {

    private static final String NOT_YET = "not reached yet";

    /** @param since of {@link System#nanoTime} */
    private record Failure(Origin origin, String reason, long since) {

        /** The newest words for what has been so since an earlier failure. */
        Failure after(@Nullable Failure earlier) {
            return earlier == null ? this : new Failure(origin, reason, earlier.since);
        }

        Problem at(String place, String words) {
            return new Problem(place, words, Duration.ofNanos(System.nanoTime() - since));
        }
    }

    private final Map<Origin, Failure> ofProcess = new EnumMap<>(Origin.class);
    private final Map<Integer, Failure> failing = new TreeMap<>();
    private final Map<Integer, Failure> halted = new TreeMap<>();
    private boolean standsBy;

    public Health() {
        failed(Origin.POSTGRESQL, NOT_YET);
        failed(Origin.KAFKA, NOT_YET);
    }

    /** It works for the process as a whole; a lane's own problem stays until that lane works again. */
    public synchronized void reached(Origin origin) {
        ofProcess.remove(origin);
    }

    synchronized void failed(Origin origin, String reason) {
        ofProcess.compute(origin, (same, earlier) -> failure(origin, reason).after(earlier));
    }

    synchronized void laneFailed(int lane, Origin origin, String reason) {
        failing.compute(lane, (same, earlier) -> failure(origin, reason).after(earlier));
    }

    private static Failure failure(Origin origin, String reason) {
        return new Failure(origin, reason, System.nanoTime());
    }

    /**
     * What is new about a halted lane.
     *
     * @param changed whether the lane was not halted before, or for another reason
     * @param like a lane that was halted before it for the same reason, apart from numbers in it; empty if there is
     *     none. Of lanes that halt at the same moment, one has none
     */
    record Halted(boolean changed, OptionalInt like) {}

    synchronized Halted laneHalted(int lane, String reason) {
        failing.remove(lane);
        Failure earlier = halted.remove(lane);
        String kind = kind(reason);
        OptionalInt like = halted.entrySet().stream()
                .filter(other -> kind(other.getValue().reason).equals(kind))
                .mapToInt(Map.Entry::getKey)
                .findFirst();
        halted.put(lane, failure(Origin.ENQUEUER, reason).after(earlier));
        return new Halted(earlier == null || !earlier.reason.equals(reason), like);
    }

    /** How many lanes of this enqueuer are halted. */
    public synchronized int lanesHalted() {
        return halted.size();
    }

    private static String kind(String reason) {
        return reason.replaceAll("\\d+", "");
    }

    /** {@link #problems} for people: lanes that are halted for the same reason count as one problem. */
    public synchronized List<String> summary() {
        List<String> summary = new ArrayList<>();
        Map<String, List<Integer>> alike = new LinkedHashMap<>();
        halted.forEach((lane, failure) -> alike.computeIfAbsent(kind(failure.reason), kind -> new ArrayList<>())
                .add(lane));
        Map<String, String> others = problems();
        halted.keySet().forEach(lane -> others.remove("lane " + lane));
        others.forEach((where, problem) -> summary.add(where + ": " + problem));
        alike.values().forEach(lanes -> {
            String where = lanes.stream().map(String::valueOf).collect(Collectors.joining(", "));
            summary.add((lanes.size() == 1 ? "lane " + where : "lanes " + where + ", of which lane " + lanes.get(0))
                    + ": " + Objects.requireNonNull(halted.get(lanes.get(0))).reason);
        });
        return summary;
    }

    /** The lane's last step succeeded, or the lane is no longer ours. */
    synchronized void laneWorks(int lane) {
        failing.remove(lane);
        halted.remove(lane);
    }

    /** Whether other enqueuers own all lanes, so that this one only waits to take over. */
    public synchronized boolean standsBy() {
        return standsBy;
    }

    synchronized void standsBy(boolean now) {
        standsBy = now;
    }

    /** The reasons by problem ({@code postgresql}, {@code kafka}, {@code lane 3}); empty if everything works. */
    public synchronized Map<String, String> problems() {
        Map<String, String> problems = new TreeMap<>();
        ofLanes().forEach((place, problem) -> problems.put(place, problem.reason()));
        ofProcess.forEach((origin, failure) -> problems.put(origin.label(), failure.reason));
        return problems;
    }

    /** What other processes cannot see: {@link #problems}, except a database that does not answer. */
    synchronized List<Problem> lasting() {
        Map<String, Problem> lasting = ofLanes();
        ofProcess.forEach((origin, failure) -> {
            if (origin != Origin.POSTGRESQL) {
                lasting.put(origin.label(), failure.at(origin.label(), failure.reason));
            }
        });
        return List.copyOf(lasting.values());
    }

    private Map<String, Problem> ofLanes() {
        Map<String, Problem> problems = new TreeMap<>();
        failing.forEach((lane, failure) -> problems.putIfAbsent(
                failure.origin.label(), failure.at(failure.origin.label(), "lane " + lane + ": " + failure.reason)));
        halted.forEach((lane, failure) -> problems.put("lane " + lane, failure.at("lane " + lane, failure.reason)));
        return problems;
    }
}
