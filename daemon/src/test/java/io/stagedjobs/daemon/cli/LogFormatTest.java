package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.PatternLayout;
import ch.qos.logback.classic.spi.LoggingEvent;
import java.io.InputStream;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class LogFormatTest {

    @Test
    void a_message_with_foreign_text_is_one_line_that_does_not_control_the_terminal() throws Exception {
        try (InputStream file = Objects.requireNonNull(Cli.class.getResourceAsStream("logback-text.xml"))) {
            Matcher pattern =
                    Pattern.compile("<pattern>(.*)</pattern>").matcher(new String(file.readAllBytes(), UTF_8));
            assertThat(pattern.find()).isTrue();
            LoggerContext context = new LoggerContext();
            PatternLayout layout = new PatternLayout();
            layout.setContext(context);
            layout.setPattern(pattern.group(1));
            layout.start();
            String line = layout.doLayout(new LoggingEvent(
                    "here",
                    context.getLogger("io.Here"),
                    Level.WARN,
                    "a\r\nb \u001b[31mred\u0007 \u202e\u009b\u2028ü",
                    null,
                    null));
            assertThat(line).contains("a b  [31mred   ü").endsWith(System.lineSeparator());
            assertThat(line.lines()).hasSize(1);
            assertThat(line).doesNotContain("\u001b", "\u0007", "\u202e", "\u009b", "\u2028");

            String trace = layout.doLayout(new LoggingEvent(
                    "here",
                    context.getLogger("io.Here"),
                    Level.WARN,
                    "failed",
                    new IllegalStateException("x\u001b[2J\u202ey"),
                    null));
            assertThat(trace)
                    .contains("failed" + System.lineSeparator() + "java.lang.IllegalStateException: x [2J y", "\tat ")
                    .doesNotContain("\u001b", "\u202e");
        }
    }
}
