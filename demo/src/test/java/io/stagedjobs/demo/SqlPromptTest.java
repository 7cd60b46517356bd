package io.stagedjobs.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.TestPostgres;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Test;

class SqlPromptTest {

    @Test
    void each_line_is_run_for_itself_and_one_that_is_refused_does_not_end_it() {
        String typed = """
                CREATE TABLE t (n int);

                INSERT INTO t VALUES (1), (2);
                SELCT 1
                SELECT n, n * 2 FROM t ORDER BY n
                """;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();

        new SqlPrompt(
                        TestPostgres.shared().newDatabase("prompt"),
                        new ByteArrayInputStream(typed.getBytes(UTF_8)),
                        new PrintStream(printed, true, UTF_8))
                .run();

        assertThat(printed.toString(UTF_8).lines())
                .containsSubsequence("  sql: 0 rows changed", "  sql: 2 rows changed", "  sql: 1 | 2", "  sql: 2 | 4")
                .anyMatch(line -> line.contains("syntax error"));
    }
}
