package io.stagedjobs.testkit;

import java.io.File;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Runs a main class in a JVM of its own, with the same Java, and the same class path unless another one is given. */
public final class ChildJvm {

    private ChildJvm() {}

    /**
     * Starts a child JVM.
     *
     * @param name its name in errors and threads
     * @param jvmArgs options of the JVM, such as {@code -Xmx256m}; none are inherited
     * @param args arguments of the main class
     * @param environment see {@link ChildProcess#start}
     * @throws IllegalStateException if the JVM cannot be started; the output shows whether the main class is missing
     */
    public static ChildProcess start(
            String name, String mainClass, List<String> jvmArgs, List<String> args, Map<String, String> environment) {
        return startOn(classPath(), name, mainClass, jvmArgs, args, environment);
    }

    /** As {@link #start(String, String, List, List, Map)}, with another class path in place of this JVM's. */
    public static ChildProcess startOn(
            String classPath,
            String name,
            String mainClass,
            List<String> jvmArgs,
            List<String> args,
            Map<String, String> environment) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(jvmArgs);
        command.add("-cp");
        command.add(classPath);
        command.add(mainClass);
        command.addAll(args);
        return ChildProcess.start(name, command, environment);
    }

    /** As {@link #start(String, String, List, List, Map)}; the class need not be public, its main method must be. */
    public static ChildProcess start(
            String name, Class<?> mainClass, List<String> jvmArgs, List<String> args, Map<String, String> environment) {
        return start(name, mainClass.getName(), jvmArgs, args, environment);
    }

    /** As {@link #start(String, Class, List, List, Map)}, with the JVM's defaults and nothing added. */
    public static ChildProcess start(String name, Class<?> mainClass, String... args) {
        return start(name, mainClass, List.of(), List.of(args), Map.of());
    }

    /**
     * The real class path of this JVM. Surefire puts it into its own property, because it may start the tests from a
     * jar that contains only a manifest; inside Maven's JVM only the class loader knows it.
     */
    private static String classPath() {
        String ofSurefire = System.getProperty("surefire.test.class.path");
        if (ofSurefire != null) {
            return ofSurefire;
        }
        @Nullable ClassLoader loader = ChildJvm.class.getClassLoader();
        if (loader instanceof URLClassLoader urls) {
            return Arrays.stream(urls.getURLs()).map(ChildJvm::path).collect(Collectors.joining(File.pathSeparator));
        }
        return System.getProperty("java.class.path");
    }

    private static String path(URL url) {
        try {
            return Path.of(url.toURI()).toString();
        } catch (URISyntaxException e) {
            throw new IllegalStateException("cannot hand class path entry " + url + " to a child JVM", e);
        }
    }
}
