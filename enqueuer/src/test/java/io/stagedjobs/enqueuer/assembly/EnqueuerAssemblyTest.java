package io.stagedjobs.enqueuer.assembly;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an application meets that runs an enqueuer inside it, without Spring. */
class EnqueuerAssemblyTest {

    private static final String LOGS_ALL = """
            <configuration>
              <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
                <encoder><pattern>%msg%n</pattern></encoder>
              </appender>
              <root level="info"><appender-ref ref="console"/></root>
            </configuration>
            """;

    static final class Application {
        public static void main(String[] args) throws Exception {
            Class.forName(EnqueuerAssembly.class.getName());
            System.out.println(DSL.using(SQLDialect.POSTGRES).render(DSL.selectOne()));
        }
    }

    @Test
    void jooq_prints_no_logo_unless_the_application_asks_for_it(@TempDir Path directory) throws Exception {
        assertThat(outputOfApplication(directory)).contains("select 1").doesNotContain("jOOQ");
        assertThat(outputOfApplication(directory, "-Dorg.jooq.no-logo=false")).contains("select 1", "jOOQ");
    }

    private static String outputOfApplication(Path directory, String... jvmArgs) throws Exception {
        Path logs = Files.writeString(directory.resolve("logs.xml"), LOGS_ALL);
        Path output = directory.resolve("output");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "-Dlogback.configurationFile=" + logs));
        command.addAll(List.of(jvmArgs));
        command.add(Application.class.getName());
        int exit = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start()
                .waitFor();
        String text = Files.readString(output);
        assertThat(exit).as(text).isZero();
        return text;
    }
}
