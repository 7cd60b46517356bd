package io.stagedjobs.daemon.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import io.stagedjobs.daemon.admin.Outbox.Aside;
import io.stagedjobs.daemon.admin.Outbox.Change;
import io.stagedjobs.daemon.admin.Outbox.State;
import io.stagedjobs.daemon.admin.Outbox.Waiting;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The answers of the API, as {@code openapi.yaml} describes them. */
final class Views {

    private static final int TOPICS_OF_STATUS_MAX = 20;
    private static final int ASIDE_MAX = 50;
    static final int TOPICS_MAX = 1_000;
    static final int TOPICS_OF_OVERVIEW_MAX = 200;

    /** Of a payload. */
    static final int BYTES_MAX = 1 << 20;

    private Views() {}

    record Problem(String place, String reason) {}

    record Status(
            String at,
            int schemaVersion,
            long backlog,
            boolean exact,
            double oldestAgeSeconds,
            Series.Rates rates,
            @Nullable Double timeToDrainSeconds,
            List<Waiting> topics,
            int moreTopics,
            long asideJobs,
            boolean asideExact,
            List<Aside> aside,
            int moreAside,
            List<String> paused,
            List<?> lanes,
            List<?> enqueuers,
            boolean standsBy,
            List<Problem> problems) {}

    static Status status(State state, Series.Rates rates, boolean standsBy, Map<String, String> problems) {
        return new Status(
                state.at(),
                state.schemaVersion(),
                state.backlog(),
                state.exact(),
                state.oldestAgeSeconds(),
                rates,
                rates.timeToDrainSeconds(state.backlog()),
                first(state.topics(), TOPICS_OF_STATUS_MAX),
                Math.max(0, state.topics().size() - TOPICS_OF_STATUS_MAX),
                state.aside().stream().mapToLong(Aside::jobs).sum(),
                state.asideExact(),
                first(state.aside(), ASIDE_MAX),
                Math.max(0, state.aside().size() - ASIDE_MAX),
                state.paused(),
                state.lanes(),
                state.enqueuers(),
                standsBy,
                problems.entrySet().stream()
                        .map(problem -> new Problem(problem.getKey(), problem.getValue()))
                        .toList());
    }

    record Topics(List<Topic> topics, int more, boolean exact) {}

    /** @param reasons why jobs of this topic were moved aside */
    record Topic(
            String topic,
            long backlog,
            boolean exact,
            long held,
            long parked,
            boolean asideExact,
            List<String> reasons,
            boolean paused) {}

    static Topics topics(State state, int max) {
        Map<String, Waiting> waiting = new TreeMap<>();
        state.topics().forEach(topic -> waiting.put(topic.topic(), topic));
        Map<String, List<Aside>> aside = state.aside().stream().collect(Collectors.groupingBy(Aside::topic));
        boolean everything = state.paused().contains("*");
        TreeSet<String> names = new TreeSet<>(waiting.keySet());
        names.addAll(aside.keySet());
        names.addAll(state.paused());
        names.remove("*");
        List<Topic> topics = names.stream()
                .map(name -> {
                    Waiting here = waiting.getOrDefault(name, new Waiting(name, 0, state.exact()));
                    List<Aside> moved = aside.getOrDefault(name, List.of());
                    return new Topic(
                            name,
                            here.backlog(),
                            here.exact(),
                            jobs(moved, "held"),
                            jobs(moved, "parked"),
                            state.asideExact(),
                            moved.stream()
                                    .map(Aside::reason)
                                    .distinct()
                                    .sorted()
                                    .toList(),
                            everything || state.paused().contains(name));
                })
                .sorted(Comparator.comparingLong((Topic topic) -> topic.backlog + topic.held + topic.parked)
                        .reversed())
                .toList();
        return new Topics(first(topics, max), Math.max(0, topics.size() - max), state.exact() && state.asideExact());
    }

    private static long jobs(List<Aside> groups, String state) {
        return groups.stream()
                .filter(group -> group.state().equals(state))
                .mapToLong(Aside::jobs)
                .sum();
    }

    private static <T> List<T> first(List<T> all, int max) {
        return all.subList(0, Math.min(max, all.size()));
    }

    record Points(long everySeconds, List<Series.Point> points) {}

    /** The newest ones. */
    static Points points(List<Series.Point> all, int max) {
        return new Points(Series.EVERY.toSeconds(), all.subList(Math.max(0, all.size() - max), all.size()));
    }

    /** What the caller may do beside reading. */
    record Rights(boolean change, boolean payloads) {}

    record Overview(Rights rights, Status status, Topics topics, Points series) {}

    /** @param next null on the last page */
    record Page(List<Object> jobs, @Nullable Long next) {}

    record JobInFull(@JsonUnwrapped Object job, @Nullable Payload payload) {}

    /**
     * @param text null if it is not UTF-8
     * @param complete whether this is all of it
     */
    record Payload(String base64, @Nullable String text, boolean complete) {

        /** @param bytes at most one more than are shown */
        static Payload firstOf(byte[] bytes) {
            boolean complete = bytes.length <= BYTES_MAX;
            byte[] shown = complete ? bytes : Arrays.copyOf(bytes, BYTES_MAX);
            return new Payload(Base64.getEncoder().encodeToString(shown), text(shown, complete), complete);
        }

        /** A part may end within a character, which is left out. */
        private static @Nullable String text(byte[] bytes, boolean complete) {
            CharsetDecoder decoder = UTF_8.newDecoder();
            CharBuffer text = CharBuffer.allocate(bytes.length);
            CoderResult result = decoder.decode(ByteBuffer.wrap(bytes), text, complete);
            return result.isError() ? null : text.flip().toString();
        }
    }

    /** The answer to an action. */
    interface Done {

        /** For the audit log. */
        String words();
    }

    record Changed(boolean dryRun, @JsonUnwrapped Change change) implements Done {
        @Override
        public String words() {
            return "discarded " + change.discarded() + ", requeued " + change.requeued() + ", kept " + change.kept();
        }
    }

    /** @param topic {@code *} for everything */
    record Paused(boolean dryRun, String topic, boolean changed) implements Done {
        @Override
        public String words() {
            return changed ? "changed" : "was so already";
        }
    }
}
