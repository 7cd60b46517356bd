package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.InvocationTargetException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Jackson, Micrometer and OpenTelemetry are optional: without them the rest of the library works. */
class OptionalLibrariesTest {

    private static final List<String> OPTIONAL =
            List.of("com.fasterxml.jackson.", "io.micrometer.", "io.opentelemetry.");

    /** Loads this library anew, and none of the optional ones. */
    private static final class WithoutOptionalLibraries extends URLClassLoader {

        WithoutOptionalLibraries() throws MalformedURLException {
            super(new URL[] {Path.of("target/classes").toUri().toURL()}, OptionalLibrariesTest.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (OPTIONAL.stream().anyMatch(name::startsWith)) {
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
        try (URLClassLoader loader = new WithoutOptionalLibraries()) {
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

    @Test
    void without_jackson_an_object_is_told_to_need_a_codec() throws Exception {
        try (URLClassLoader loader = new WithoutOptionalLibraries()) {
            Class<?> codec = loader.loadClass("io.stagedjobs.JsonCodec");
            assertThatThrownBy(() -> codec.getMethod("installed").invoke(null))
                    .isInstanceOf(InvocationTargetException.class)
                    .cause()
                    .hasMessageContainingAll("no JsonCodec is registered", "jackson-databind");
        }
    }

    @Test
    void without_micrometer_a_unit_of_work_listens_to_whom_it_likes() throws Exception {
        try (URLClassLoader loader = new WithoutOptionalLibraries()) {
            Class<?> unit = loader.loadClass("io.stagedjobs.UnitOfWork");
            assertThat(unit.getMethod("listening", loader.loadClass("io.stagedjobs.UnitListener")))
                    .isNotNull();
        }
    }
}
