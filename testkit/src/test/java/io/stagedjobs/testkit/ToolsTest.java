package io.stagedjobs.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.opentest4j.TestAbortedException;

class ToolsTest {

    @Test
    void a_program_is_found_on_the_search_path() {
        Path bin = Path.of(System.getProperty("java.home"), "bin");
        assertThat(Tools.require("java", "/no/such/directory:" + bin, null)).isEqualTo(bin.resolve("java"));
        assertThat(Tools.require("sh")).isExecutable();
    }

    @Test
    void an_absent_program_skips_the_test() {
        assertThatThrownBy(() -> Tools.require("no-such-program", "/bin", "psql"))
                .isInstanceOf(TestAbortedException.class)
                .hasMessageContaining("no-such-program");
        assertThatThrownBy(() -> Tools.require("no-such-program", null, null)).isInstanceOf(TestAbortedException.class);
    }

    @Test
    void an_absent_program_that_is_required_fails_the_test() {
        assertThatThrownBy(() -> Tools.require("no-such-program", "/bin", "psql, no-such-program"))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("STAGED_JOBS_TEST_REQUIRE");
    }
}
