package io.stagedjobs;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.InvocationTargetException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Jackson, Micrometer and OpenTelemetry are optional: without them the rest of the library works. */
class OptionalLibrariesTest {

    private static final String JACKSON_2 = "com.fasterxml.jackson.databind.";
    private static final String JACKSON_3 = "tools.jackson.";

    /** Loads this library anew, and none of those that are absent. */
    private static final class Without extends URLClassLoader {

        private final List<String> absent;

        Without(String... absent) throws MalformedURLException {
            super(new URL[] {Path.of("target/classes").toUri().toURL()}, OptionalLibrariesTest.class.getClassLoader());
            this.absent = List.of(absent);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (absent.stream().anyMatch(name::startsWith)) {
                throw new ClassNotFoundException(name);
            }
            if (!name.startsWith("io.stagedjobs.")) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded == null ? findClass(name) : loaded;
            }
        }
    }

    @Test
    void without_opentelemetry_no_trace_is_added_and_jobs_can_be_staged() throws Exception {
        try (URLClassLoader loader = new Without("io.opentelemetry.")) {
            Class<?> context = loader.loadClass("io.stagedjobs.TraceContext");
            assertThat(context.getMethod("installed").invoke(null))
                    .isSameAs(context.getField("NONE").get(null));
            assertThat(loader.loadClass("io.stagedjobs.StagedJobs")
                            .getConstructor()
                            .newInstance())
                    .isNotNull();
        }
        assertThat(TraceContext.installed()).isInstanceOf(OpenTelemetryTraceContext.class);
    }

    private static Object installedCodec(URLClassLoader loader) throws ReflectiveOperationException {
        return loader.loadClass("io.stagedjobs.JsonCodec")
                .getMethod("installed")
                .invoke(null);
    }

    @Test
    void without_jackson_an_object_is_told_to_need_a_codec() throws Exception {
        try (URLClassLoader loader = new Without(JACKSON_2, JACKSON_3)) {
            assertThatThrownBy(() -> installedCodec(loader))
                    .isInstanceOf(InvocationTargetException.class)
                    .cause()
                    .hasMessageContainingAll(
                            "no JsonCodec is registered",
                            "Nothing was staged",
                            "tools.jackson.core:jackson-databind",
                            "com.fasterxml.jackson.core:jackson-databind",
                            "ServiceLoader",
                            "bytes or text");
        }
    }

    @ParameterizedTest
    @CsvSource({"tools.jackson., Jackson2JsonCodec", "com.fasterxml.jackson.databind., Jackson3JsonCodec"})
    void an_object_becomes_json_with_whichever_jackson_is_there(String absent, String codec) throws Exception {
        try (URLClassLoader loader = new Without(absent)) {
            Object installed = installedCodec(loader);
            assertThat(installed.getClass().getSimpleName()).isEqualTo(codec);
            Object json = loader.loadClass("io.stagedjobs.JsonCodec")
                    .getMethod("toBytes", Object.class)
                    .invoke(installed, Map.of("id", 7));
            assertThat((byte[]) json).isEqualTo("{\"id\":7}".getBytes(UTF_8));
        }
    }

    /** Who stages with Jackson 3 and then adds something that brings Jackson 2 goes on as before. */
    @Test
    void with_both_jacksons_the_newer_one_writes() throws Exception {
        try (URLClassLoader loader = new Without()) {
            assertThat(installedCodec(loader).getClass().getSimpleName()).isEqualTo("Jackson3JsonCodec");
        }
    }

    @Test
    void without_micrometer_a_unit_of_work_listens_to_whom_it_likes() throws Exception {
        try (URLClassLoader loader = new Without("io.micrometer.")) {
            Class<?> unit = loader.loadClass("io.stagedjobs.UnitOfWork");
            assertThat(unit.getMethod("listening", loader.loadClass("io.stagedjobs.UnitListener")))
                    .isNotNull();
        }
    }
}
