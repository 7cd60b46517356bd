package io.stagedjobs.enqueuer.settings;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.regex.Pattern;

/** Where settings come from: a properties file, the environment, flags, or another program. */
final class Sources {

    private static final String CONFIG_FILE = "config.file";
    private static final String CONFIG_FILE_VARIABLE = "STAGED_JOBS_CONFIG_FILE";

    /** Read by the launcher or the tests, not here. */
    private static final Set<String> NOT_OURS = Set.of(
            "STAGED_JOBS_CACHE",
            CONFIG_FILE_VARIABLE,
            "STAGED_JOBS_JAVA_OPTS",
            "STAGED_JOBS_LOG_FORMAT",
            "STAGED_JOBS_LOG_LEVEL");

    private static final String TEST_PREFIX = "STAGED_JOBS_TEST_";

    /** What Kubernetes puts into every container for a service whose name starts with staged-jobs. */
    private static final Pattern SERVICE_LINK =
            Pattern.compile("STAGED_JOBS_(.*_)?(SERVICE_(HOST|PORT)(_.*)?|PORT_\\d+_(TCP|UDP|SCTP)(_.*)?)");

    private static final Pattern SERVICE_ADDRESS = Pattern.compile("(tcp|udp|sctp)://.*");

    private Sources() {}

    /** All that a process was given, the stronger after the weaker; adds what could not be read to the problems. */
    static List<Given> ofProcess(
            Map<String, String> flags, Map<String, String> environment, KnownKeys keys, List<String> problems) {
        List<Given> all = new ArrayList<>();
        String file = flags.getOrDefault(CONFIG_FILE, environment.get(CONFIG_FILE_VARIABLE));
        if (file != null) {
            all.addAll(inFile(file, problems));
        }
        environment.forEach((variable, text) -> {
            if (variable.startsWith(Setting.ENVIRONMENT_PREFIX) && !isForeign(variable, text)) {
                String key = variable.substring(Setting.ENVIRONMENT_PREFIX.length())
                        .toLowerCase(Locale.ROOT)
                        .replace('_', '.');
                all.add(Given.named(SettingSource.ENVIRONMENT, key, text, variable, Setting::variable));
            }
        });
        flags.forEach((key, text) -> {
            if (!key.equals(CONFIG_FILE)) {
                all.add(Given.named(SettingSource.FLAG, key, text, keys.flag(key), keys::flag));
            }
        });
        return all;
    }

    private static List<Given> inFile(String file, List<String> problems) {
        Properties properties = new Properties();
        try {
            properties.load(new StringReader(Files.readString(Path.of(file), UTF_8)));
        } catch (IOException | IllegalArgumentException e) {
            problems.add("could not read the settings file " + file + ": " + e);
        }
        return properties.stringPropertyNames().stream()
                .map(key -> Given.inFile(key, properties.getProperty(key), file))
                .toList();
    }

    private static boolean isForeign(String variable, String text) {
        return NOT_OURS.contains(variable)
                || variable.startsWith(TEST_PREFIX)
                || SERVICE_LINK.matcher(variable).matches()
                || (variable.endsWith("_PORT") && SERVICE_ADDRESS.matcher(text).matches());
    }
}
