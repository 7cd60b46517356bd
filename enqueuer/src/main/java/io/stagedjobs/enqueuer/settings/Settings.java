package io.stagedjobs.enqueuer.settings;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.enqueuer.kafka.KafkaClientSettings;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.jspecify.annotations.Nullable;

/**
 * The effective settings: flags over environment over properties file over defaults. All problems are found at once,
 * when they are read; an immutable value from then on.
 */
public final class Settings {

    private static final String FILE_SUFFIX = ".file";

    /** Read by the launcher or the tests, not here. */
    private static final Set<String> NOT_OURS = Set.of(
            "STAGED_JOBS_CACHE",
            "STAGED_JOBS_CONFIG_FILE",
            "STAGED_JOBS_JAVA_OPTS",
            "STAGED_JOBS_LOG_FORMAT",
            "STAGED_JOBS_LOG_LEVEL");

    private static final String TEST_PREFIX = "STAGED_JOBS_TEST_";

    /** What Kubernetes puts into every container for a service whose name starts with staged-jobs. */
    private static final Pattern SERVICE_LINK =
            Pattern.compile("STAGED_JOBS_(.*_)?(SERVICE_(HOST|PORT)(_.*)?|PORT_\\d+_(TCP|UDP|SCTP)(_.*)?)");

    private static final Pattern SERVICE_ADDRESS = Pattern.compile("(tcp|udp|sctp)://.*");

    /**
     * A value and where it comes from.
     *
     * @param file which holds a secret, and may change while the process runs
     */
    private record Value(
            String text, String source, @Nullable Path file) {
        Value(String text, String source) {
            this(text, source, null);
        }
    }

    private final Map<String, Value> values;

    /** How a person sets what is missing. */
    private final Function<Setting<?>, String> wayToSet;

    private Settings(Map<String, Value> values, Function<Setting<?>, String> wayToSet) {
        this.values = values;
        this.wayToSet = wayToSet;
    }

    /**
     * Reads and checks the settings.
     *
     * @param flags values given on the command line, by key
     * @param environment the process's environment
     * @throws SettingsException naming every wrong or unknown setting
     */
    public static Settings read(Map<String, String> flags, Map<String, String> environment) {
        List<String> problems = new ArrayList<>();
        Map<String, Value> values = new TreeMap<>();
        fromFile(flags.getOrDefault("config.file", environment.get("STAGED_JOBS_CONFIG_FILE")), values, problems);
        environment.forEach((variable, text) -> {
            if (variable.startsWith(Setting.ENVIRONMENT_PREFIX) && !isForeign(variable, text)) {
                String key = variable.substring(Setting.ENVIRONMENT_PREFIX.length())
                        .toLowerCase(Locale.ROOT)
                        .replace('_', '.');
                put(values, key, new Value(text, variable), problems);
            }
        });
        flags.forEach((key, text) -> {
            if (!key.equals("config.file")) {
                put(values, key, new Value(text, Setting.flag(key)), problems);
            }
        });
        return checked(values, setting -> setting.variable() + " or " + setting.flag(), problems);
    }

    /**
     * Checks settings that another program has read.
     *
     * @param given texts by key
     * @param prefix what stands before each key where that program has them from
     * @throws SettingsException naming every wrong or unknown setting
     */
    public static Settings of(Map<String, String> given, String prefix) {
        List<String> problems = new ArrayList<>();
        Map<String, Value> values = new TreeMap<>();
        new TreeMap<>(given).forEach((key, text) -> put(values, key, new Value(text, prefix + key), problems));
        return checked(values, setting -> prefix + setting.key(), problems);
    }

    private static Settings checked(
            Map<String, Value> values, Function<Setting<?>, String> wayToSet, List<String> problems) {
        readSecretFiles(values, problems);
        Settings settings = new Settings(values, wayToSet);
        problems.addAll(settings.wrongValues());
        if (!problems.isEmpty()) {
            throw new SettingsException(problems);
        }
        return settings;
    }

    /** The value or the default, empty if there is neither. */
    public <T> Optional<T> find(Setting<T> setting) {
        return Optional.ofNullable(text(setting)).map(setting.parser());
    }

    /**
     * The value or the default.
     *
     * @throws SettingsException if there is neither
     */
    public <T> T get(Setting<T> setting) {
        return find(setting)
                .orElseThrow(() -> new SettingsException(List.of("setting " + setting.key() + " is missing ("
                        + setting.meaning() + "): expected " + setting.expected() + ". Set " + wayToSet.apply(setting)
                        + ".")));
    }

    /**
     * A secret that may be exchanged while the process runs: the supplier reads its file again, if it has one. While
     * that cannot be read, it is what it was at the start. For any thread.
     */
    public Supplier<Optional<String>> secret(Setting<String> setting) {
        Value atStart = values.get(setting.key());
        if (atStart == null || atStart.file == null) {
            Optional<String> fixed = find(setting);
            return () -> fixed;
        }
        Path file = atStart.file;
        return () -> {
            try {
                return Optional.of(readSecret(file));
            } catch (IOException replacedJustNow) {
                return Optional.of(atStart.text);
            }
        };
    }

    /** Kafka client properties as the operator gave them, by Kafka's own names. */
    public Map<String, String> kafka() {
        Map<String, String> properties = new LinkedHashMap<>();
        values.forEach((key, value) -> {
            if (key.startsWith(Setting.KAFKA_PREFIX)) {
                properties.put(key.substring(Setting.KAFKA_PREFIX.length()), value.text);
            }
        });
        return properties;
    }

    private @Nullable String text(Setting<?> setting) {
        Value value = values.get(setting.key());
        return value == null ? setting.defaultText() : value.text;
    }

    private static boolean isForeign(String variable, String text) {
        return NOT_OURS.contains(variable)
                || variable.startsWith(TEST_PREFIX)
                || SERVICE_LINK.matcher(variable).matches()
                || (variable.endsWith("_PORT") && SERVICE_ADDRESS.matcher(text).matches());
    }

    private static void fromFile(@Nullable String file, Map<String, Value> values, List<String> problems) {
        if (file == null) {
            return;
        }
        Properties properties = new Properties();
        try (Reader in = new StringReader(Files.readString(Path.of(file), UTF_8))) {
            properties.load(in);
        } catch (IOException | IllegalArgumentException e) {
            problems.add("could not read the settings file " + file + ": " + e);
        }
        for (String key : properties.stringPropertyNames()) {
            put(values, key, new Value(properties.getProperty(key), file), problems);
        }
    }

    private static void put(Map<String, Value> values, String key, Value value, List<String> problems) {
        String reserved = key.startsWith(Setting.KAFKA_PREFIX)
                ? KafkaClientSettings.FIXED.get(key.substring(Setting.KAFKA_PREFIX.length()))
                : null;
        if (reserved != null) {
            problems.add("setting " + value.source + " cannot be changed: " + reserved);
        } else if (isKnown(key)) {
            if (!value.text.isEmpty()) { // an empty variable means unset, as compose files and shells write it
                values.put(key, value);
            }
        } else {
            problems.add("unknown setting " + value.source + (tellsTheKey(value.source, key) ? "" : ": " + key)
                    + ". The nearest known one is " + nearest(key, value.source) + ".");
        }
    }

    private static boolean tellsTheKey(String source, String key) {
        return source.equals(key) || source.equals(Setting.variable(key)) || source.endsWith("." + key);
    }

    private static boolean isKnown(String key) {
        if (key.startsWith(Setting.KAFKA_PREFIX)) {
            String property = key.substring(Setting.KAFKA_PREFIX.length());
            return KafkaClientSettings.known().contains(property)
                    || (property.endsWith(FILE_SUFFIX) && KafkaClientSettings.isSecret(withoutFile(property)));
        }
        return Setting.ALL.stream()
                .anyMatch(setting ->
                        key.equals(setting.key()) || (setting.secret() && key.equals(setting.key() + FILE_SUFFIX)));
    }

    private static String withoutFile(String key) {
        return key.substring(0, key.length() - FILE_SUFFIX.length());
    }

    private static void readSecretFiles(Map<String, Value> values, List<String> problems) {
        for (String key : new TreeSet<>(values.keySet())) {
            if (key.endsWith(FILE_SUFFIX)) {
                Value file = values.remove(key);
                Value given = values.get(withoutFile(key));
                if (given != null) {
                    problems.add("setting " + withoutFile(key) + " is given twice: by " + given.source
                            + " and by the file of " + file.source);
                    continue;
                }
                try {
                    Path path = Path.of(file.text);
                    values.put(withoutFile(key), new Value(readSecret(path), file.source, path));
                } catch (IOException | IllegalArgumentException e) {
                    problems.add("could not read the secret file that " + file.source + " names: " + e);
                }
            }
        }
    }

    private static String readSecret(Path file) throws IOException {
        return Files.readString(file, UTF_8).stripTrailing();
    }

    private List<String> wrongValues() {
        List<String> problems = new ArrayList<>();
        for (Setting<?> setting : Setting.ALL) {
            try {
                find(setting);
            } catch (IllegalArgumentException wrong) {
                Value value = values.get(setting.key());
                problems.add("setting " + (value == null ? setting.key() : value.source) + " is wrong: expected "
                        + setting.expected() + ", got " + shown(setting));
            }
        }
        values.forEach((key, value) -> {
            if (key.startsWith(Setting.KAFKA_PREFIX)) {
                KafkaClientSettings.whatIsWrong(key.substring(Setting.KAFKA_PREFIX.length()), value.text)
                        .ifPresent(wrong -> problems.add("setting " + value.source + " is wrong: " + wrong));
            }
        });
        if (problems.isEmpty()) {
            problems.addAll(wrongTogether());
        }
        return problems;
    }

    /** People put passwords into URLs: of those only the scheme is repeated. */
    private String shown(Setting<?> setting) {
        String text = String.valueOf(text(setting));
        if (setting.secret()) {
            return "a secret";
        }
        return '"' + (setting.equals(Setting.DATABASE_URL) ? text.replaceFirst("(?s)[:@/?].*", "…") : text) + '"';
    }

    private List<String> wrongTogether() {
        List<String> problems = new ArrayList<>();
        if (get(Setting.TAKEOVER_AFTER)
                        .compareTo(get(Setting.HEARTBEAT_INTERVAL).multipliedBy(3))
                < 0) {
            problems.add("setting takeover.after is wrong: expected at least three times heartbeat.interval ("
                    + text(Setting.HEARTBEAT_INTERVAL) + "), got \"" + text(Setting.TAKEOVER_AFTER)
                    + "\": live enqueuers would take each other's lanes");
        }
        String transactionTimeout = kafka().getOrDefault(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, "");
        if (transactionTimeout.matches("\\d{1,9}")
                && Integer.parseInt(transactionTimeout)
                        < get(Setting.PUBLISH_TIMEOUT).toMillis()) {
            problems.add("setting kafka.transaction.timeout.ms is wrong: expected at least publish.timeout ("
                    + text(Setting.PUBLISH_TIMEOUT) + "), got \"" + transactionTimeout
                    + "\": Kafka would end transactions that are still at work");
        }
        for (Setting<String> token : List.of(Setting.ADMIN_TOKEN, Setting.ADMIN_TOKEN_READONLY)) {
            find(token)
                    .filter(secret -> secret.length() < 16)
                    .ifPresent(secret -> problems.add("setting " + token.key() + " is wrong: expected "
                            + token.expected() + ", got a shorter secret"));
        }
        if (find(Setting.ADMIN_TOKEN).isPresent()
                && find(Setting.ADMIN_TOKEN).equals(find(Setting.ADMIN_TOKEN_READONLY))) {
            problems.add("setting admin.token.readonly is wrong: expected " + Setting.ADMIN_TOKEN_READONLY.expected()
                    + ", got the same secret: it would permit everything");
        }
        return problems;
    }

    /** The known setting with the fewest letters to change, in the form that the source uses. */
    private static String nearest(String key, String source) {
        Set<String> known = new TreeSet<>();
        Setting.ALL.forEach(setting -> known.add(setting.key()));
        if (key.startsWith(Setting.KAFKA_PREFIX)) {
            KafkaClientSettings.known().stream()
                    .filter(property -> !KafkaClientSettings.FIXED.containsKey(property))
                    .forEach(property -> known.add(Setting.KAFKA_PREFIX + property));
        }
        String nearest = nearest(key, known);
        return source.startsWith(Setting.ENVIRONMENT_PREFIX)
                ? Setting.variable(nearest)
                : source.startsWith("--")
                        ? Setting.flag(nearest)
                        : tellsTheKey(source, key)
                                ? source.substring(0, source.length() - key.length()) + nearest
                                : nearest;
    }

    /** That of the known words with the fewest letters to change. */
    public static String nearest(String word, Set<String> known) {
        return known.stream()
                .min(Comparator.comparingInt((String each) -> distance(each, word))
                        .thenComparing(each -> each))
                .orElseThrow();
    }

    /** Levenshtein's edit distance, one row at a time. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(substituted, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
