package io.stagedjobs.testkit.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stagedjobs.StagedJob;
import io.stagedjobs.testkit.jobs.FoundJob.State;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import org.assertj.core.api.AbstractAssert;
import org.assertj.core.description.Description;
import org.assertj.core.error.BasicErrorMessageFactory;
import org.jspecify.annotations.Nullable;

/** Asserts on the jobs that a test found in the tables. Each failure message lists them. */
public class FoundJobsAssert extends AbstractAssert<FoundJobsAssert, FoundJobs> {

    private static final ObjectMapper JSON = new ObjectMapper();

    FoundJobsAssert(FoundJobs found) {
        super(found, FoundJobsAssert.class);
    }

    /** There is no job at all. */
    public FoundJobsAssert hasNoJobs() {
        return requires("no job", actual.jobs().isEmpty());
    }

    /** There are this many jobs, of any kind. */
    public FoundJobsAssert hasJobs(int count) {
        return requires(count + " job(s)", actual.jobs().size() == count);
    }

    /** There are jobs of these names, in that order, and no others. */
    public FoundJobsAssert hasJobs(String... names) {
        List<String> expected = List.of(names);
        return requires(
                "jobs named " + expected,
                actual.jobs().stream().map(found -> found.job().name()).toList().equals(expected));
    }

    /** There is no job of that name. */
    public FoundJobsAssert hasNoJob(String name) {
        return requires(
                "no job \"" + name + "\"",
                actual.jobs().stream().noneMatch(found -> found.job().name().equals(name)));
    }

    /** There is a job of that name; the next calls in the chain add conditions. */
    public OfJob hasJob(String name) {
        return new OfJob(actual, info.description())
                .narrowed("a job \"" + name + "\"", found -> found.job().name().equals(name));
    }

    FoundJobsAssert requires(String expected, boolean met) {
        if (!met) {
            throwAssertionError(new Unmet(expected, actual));
        }
        return this;
    }

    /** Unquoted, since AssertJ would put quotes around these descriptions. */
    private static final class Unmet extends BasicErrorMessageFactory {

        private Unmet(String expected, FoundJobs found) {
            super("expected %s, but found %s", unquotedString(expected), unquotedString(found.toString()));
        }
    }

    /**
     * Adds conditions: there is one job that meets all conditions since {@link #hasJob}. The chain can go on with
     * another job, or with all of them.
     */
    public static final class OfJob extends FoundJobsAssert {

        private String expected = "";
        private List<FoundJob> candidates;

        private OfJob(FoundJobs found, Description description) {
            super(found);
            this.candidates = found.jobs();
            info.description(description);
        }

        /** No other job meets all these conditions. */
        public OfJob once() {
            requires(expected + " once", candidates.size() == 1);
            return this;
        }

        public OfJob withTopic(String topic) {
            return with("of topic " + topic, job -> job.topic().equals(topic));
        }

        public OfJob withKey(String key) {
            return with("with key \"" + key + "\"", job -> key.equals(job.key()));
        }

        public OfJob withoutKey() {
            return with("without a key", job -> job.key() == null);
        }

        /** Its payload is these bytes. */
        public OfJob withPayload(byte[] payload) {
            return with(
                    "with a certain payload of " + payload.length + " bytes",
                    job -> Arrays.equals(job.payload(), payload));
        }

        /** Its payload is this text, character by character, in UTF-8. */
        public OfJob withPayload(String text) {
            return with("with payload " + text, job -> Arrays.equals(job.payload(), text.getBytes(UTF_8)));
        }

        /**
         * Its payload is this JSON; spaces and the order of names do not matter.
         *
         * @throws IllegalArgumentException if {@code json} is not JSON
         */
        public OfJob withJson(String json) {
            JsonNode tree = tree(json.getBytes(UTF_8));
            if (tree == null) {
                throw new IllegalArgumentException("cannot compare payloads with what is no JSON: " + json);
            }
            return with("with JSON " + json, job -> tree.equals(tree(job.payload())));
        }

        /** It has no payload: a tombstone. */
        public OfJob withoutPayload() {
            return with("without a payload", job -> job.payload() == null);
        }

        public OfJob withHeader(String header, String value) {
            return with(
                    "with header " + header + "=" + value,
                    job -> value.equals(job.headers().get(header)));
        }

        /**
         * It meets a condition of the test.
         *
         * @param what continues "expected a job …" in the message
         */
        public OfJob with(String what, Predicate<StagedJob> condition) {
            return narrowed(what, found -> condition.test(found.job()));
        }

        /** It is moved aside for that reason and returns by itself, for instance {@code topic missing}. */
        public OfJob heldBecause(String reason) {
            return aside(State.HELD, "held because: ", reason);
        }

        /** It is moved aside for that reason and waits for a person, for instance {@code too large}. */
        public OfJob parkedBecause(String reason) {
            return aside(State.PARKED, "parked because: ", reason);
        }

        private OfJob aside(State state, String words, String reason) {
            return narrowed(words + reason, found -> found.state() == state && Objects.equals(found.reason(), reason));
        }

        private OfJob narrowed(String what, Predicate<FoundJob> condition) {
            expected += (expected.isEmpty() ? "" : " ") + what;
            candidates = candidates.stream().filter(condition).toList();
            requires(expected, !candidates.isEmpty());
            return this;
        }

        /** Null if it is not JSON. */
        private static @Nullable JsonNode tree(byte @Nullable [] json) {
            try {
                JsonNode tree = json == null ? null : JSON.readTree(json);
                return tree == null || tree.isMissingNode() ? null : tree;
            } catch (IOException e) {
                return null;
            }
        }
    }
}
