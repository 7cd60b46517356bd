package io.stagedjobs.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ChildProcessTest {

    private static final Duration LONG = Duration.ofSeconds(60);
    private static final int SIGKILL = 9;
    private static final int SIGTERM = 15;
    private static final int ENDED_BY_SIGNAL = 128;

    /** Says on each stream what it was given, and ends with exit code 3. */
    static final class Speaker {
        public static void main(String[] args) {
            System.out.println("heap " + Runtime.getRuntime().maxMemory());
            System.out.println("argument " + args[0]);
            System.err.println("variable " + System.getenv("STAGED_JOBS_GIVEN"));
            System.exit(3);
        }
    }

    @Test
    void a_child_jvm_has_our_class_path_and_is_given_arguments_options_and_variables() {
        try (ChildProcess child = ChildJvm.start(
                "speaker",
                Speaker.class,
                List.of("-Xmx32m"),
                List.of("with space"),
                Map.of("STAGED_JOBS_GIVEN", "yes"))) {
            assertThat(child.awaitExit(LONG)).isEqualTo(3);
            assertThat(child.stdout()).contains("argument with space").doesNotContain("variable yes");
            assertThat(child.stderr()).contains("variable yes");
            assertThat(child.output()).contains("argument with space", "variable yes");
            String heap = child.awaitLine(Pattern.compile("^heap "), LONG);
            assertThat(Long.parseLong(heap.substring("heap ".length()))).isLessThanOrEqualTo(32 << 20);
        }
    }

    @Test
    void a_line_is_awaited_until_it_is_printed_whether_before_the_call_or_after_it() {
        try (ChildProcess child = shell("echo first; echo second >&2; exec sleep 600")) {
            assertThat(child.awaitLine("second"::equals, LONG)).isEqualTo("second");
            assertThat(child.awaitLine("first"::equals, LONG)).isEqualTo("first");
            assertThat(child.isRunning()).isTrue();
        }
    }

    @Test
    void waiting_for_a_line_that_can_no_longer_come_fails_with_the_output() {
        try (ChildProcess child = shell("echo something else")) {
            assertThatThrownBy(() -> child.awaitLine("wanted"::equals, LONG))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("something else");
        }
    }

    @Test
    void waiting_ends_when_time_runs_out() {
        try (ChildProcess child = shell("echo here; exec sleep 600")) {
            child.awaitLine("here"::equals, LONG);
            assertThatThrownBy(() -> child.awaitLine("wanted"::equals, Duration.ofMillis(1)))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("here");
            assertThatThrownBy(() -> child.awaitExit(Duration.ofMillis(1)))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("still runs");
        }
    }

    @Test
    void more_output_than_is_kept_neither_blocks_the_child_nor_hides_a_line_from_a_waiting_test() {
        try (ChildProcess child = shell("i=0; while [ $i -lt 120000 ]; do i=$((i+1)); echo $i; done; echo end")) {
            assertThat(child.awaitLine("end"::equals, LONG)).isEqualTo("end");
            assertThat(child.awaitExit(LONG)).isZero();
            assertThat(child.output()).hasSize(100_000).endsWith("120000", "end");
        }
    }

    @Test
    void a_child_can_be_killed_and_asked_to_end() {
        try (ChildProcess killed = shell("exec sleep 600");
                ChildProcess terminated = shell("exec sleep 600")) {
            killed.kill();
            assertThat(killed.awaitExit(LONG)).isEqualTo(ENDED_BY_SIGNAL + SIGKILL);
            terminated.terminate();
            assertThat(terminated.awaitExit(LONG)).isEqualTo(ENDED_BY_SIGNAL + SIGTERM);
        }
    }

    @Test
    void what_a_child_prints_while_it_ends_is_kept() {
        try (ChildProcess child = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do read line; done")) {
            child.awaitLine("ready"::equals, LONG);
            child.terminate();
            assertThat(child.awaitExit(LONG)).isEqualTo(7);
            assertThat(child.output()).containsExactly("ready", "bye");
        }
    }

    @Test
    void a_frozen_child_goes_on_only_when_it_is_resumed() {
        try (ChildProcess child = shell("trap 'echo got it; exit 0' USR1; echo ready; while :; do sleep 0.01; done")) {
            child.awaitLine("ready"::equals, LONG);
            child.suspend();
            try (ChildProcess signal = shell("kill -USR1 " + child.pid())) {
                assertThat(signal.awaitExit(LONG)).isZero();
            }
            assertThat(child.isRunning()).isTrue();
            assertThat(child.output()).doesNotContain("got it");
            child.resume();
            assertThat(child.awaitLine("got it"::equals, LONG)).isEqualTo("got it");
            assertThat(child.awaitExit(LONG)).isZero();
        }
    }

    @Test
    void a_child_that_has_ended_cannot_be_frozen() {
        try (ChildProcess child = shell("exit 0")) {
            child.awaitExit(LONG);
            assertThatThrownBy(child::suspend)
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("has ended");
        }
    }

    @Test
    void a_program_that_does_not_exist_is_an_error() {
        assertThatThrownBy(() -> ChildProcess.start("nothing", List.of("no-such-program"), Map.of()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("no-such-program");
    }

    /** Starts a child with a setting of its own developer's, and ends without closing it. */
    static final class Careless {
        public static void main(String[] args) throws IOException {
            ChildProcess child = ChildProcess.start(
                    "forgotten",
                    List.of("sh", "-c", "echo setting ${STAGED_JOBS_OF_DEVELOPER:-none}; exec sleep 600"),
                    Map.of());
            System.out.println(child.awaitLine(line -> line.startsWith("setting"), LONG));
            System.out.println("pid " + child.pid());
            System.in.read();
        }
    }

    @Test
    void children_do_not_inherit_our_settings_and_end_with_a_jvm_that_ends_without_closing_them() {
        try (ChildProcess parent = ChildJvm.start(
                "careless", Careless.class, List.of(), List.of(), Map.of("STAGED_JOBS_OF_DEVELOPER", "some"))) {
            assertThat(parent.awaitLine(line -> line.startsWith("setting"), LONG))
                    .isEqualTo("setting none");
            String pid = parent.awaitLine(line -> line.startsWith("pid "), LONG).substring("pid ".length());
            Stream<ProcessHandle> forgotten = ProcessHandle.of(Long.parseLong(pid)).stream();
            parent.terminate();
            parent.awaitExit(LONG);
            assertThat(forgotten.map(ProcessHandle::onExit))
                    .allSatisfy(exit -> assertThat(exit).succeedsWithin(LONG));
        }
    }

    private static ChildProcess shell(String script) {
        return ChildProcess.start("shell", List.of("sh", "-c", script), Map.of());
    }
}
