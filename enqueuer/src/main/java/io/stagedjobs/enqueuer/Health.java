package io.stagedjobs.enqueuer;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** The current problems: PostgreSQL, Kafka, a lane that fails or is halted. Thread-safe. */
public final class Health {

    private static final String NOT_YET = "not reached yet";

    private record Failure(Origin origin, String reason) {}

    private final Map<Origin, String> ofProcess = new EnumMap<>(Origin.class);
    private final Map<Integer, Failure> failing = new TreeMap<>();
    private final Map<Integer, String> halted = new TreeMap<>();
    private boolean standsBy;

    public Health() {
        ofProcess.put(Origin.POSTGRESQL, NOT_YET);
        ofProcess.put(Origin.KAFKA, NOT_YET);
    }

    /** It works for the process as a whole; a lane's own problem stays until that lane works again. */
    public synchronized void reached(Origin origin) {
        ofProcess.remove(origin);
    }

    synchronized void failed(Origin origin, String reason) {
        ofProcess.put(origin, reason);
    }

    synchronized void laneFailed(int lane, Origin origin, String reason) {
        failing.put(lane, new Failure(origin, reason));
    }

    /** @return whether the state changed */
    synchronized boolean laneHalted(int lane, String reason) {
        failing.remove(lane);
        return !reason.equals(halted.put(lane, reason));
    }

    /** Another lane that is halted for the same reason, apart from numbers in it; empty if there is none. */
    synchronized OptionalInt haltedAlike(int lane) {
        String kind = kind(halted.getOrDefault(lane, ""));
        return halted.entrySet().stream()
                .filter(other ->
                        other.getKey() != lane && kind(other.getValue()).equals(kind))
                .mapToInt(Map.Entry::getKey)
                .findFirst();
    }

    private static String kind(String reason) {
        return reason.replaceAll("\\d+", "");
    }

    /** {@link #problems} for people: lanes that are halted for the same reason count as one problem. */
    public synchronized List<String> told() {
        List<String> told = new ArrayList<>();
        Map<String, List<Integer>> alike = new LinkedHashMap<>();
        halted.forEach((lane, reason) ->
                alike.computeIfAbsent(kind(reason), kind -> new ArrayList<>()).add(lane));
        Map<String, String> others = problems();
        halted.keySet().forEach(lane -> others.remove("lane " + lane));
        others.forEach((where, problem) -> told.add(where + ": " + problem));
        alike.values().forEach(lanes -> {
            String where = lanes.stream().map(String::valueOf).collect(Collectors.joining(", "));
            told.add((lanes.size() == 1 ? "lane " + where : "lanes " + where + ", of which lane " + lanes.get(0)) + ": "
                    + halted.get(lanes.get(0)));
        });
        return told;
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
        failing.forEach((lane, failure) ->
                problems.putIfAbsent(failure.origin.label(), "lane " + lane + ": " + failure.reason));
        ofProcess.forEach((origin, reason) -> problems.put(origin.label(), reason));
        halted.forEach((lane, reason) -> problems.put("lane " + lane, reason));
        return problems;
    }
}
