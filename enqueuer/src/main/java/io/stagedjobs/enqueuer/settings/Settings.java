package io.stagedjobs.enqueuer.settings;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The effective settings: flags over environment over properties file over defaults. All problems are found at once,
 * when they are read; an immutable value from then on.
 */
public final class Settings {

    private final Map<String, Given> values = new TreeMap<>();
    private final Passthrough passthrough;

    /** How a person sets what is missing. */
    private final Function<Setting<?>, String> wayToSet;

    private Settings(
            List<Given> given,
            Passthrough passthrough,
            Function<Setting<?>, String> wayToSet,
            List<String> problemsOfSources) {
        this.passthrough = passthrough;
        this.wayToSet = wayToSet;
        List<String> problems = new ArrayList<>(problemsOfSources);
        take(given, problems);
        SecretFiles.read(values, problems);
        int unreadable = problems.size();
        findWrongValues(problems);
        if (problems.size() == unreadable) {
            findWhatIsWrongTogether(problems);
        }
        if (!problems.isEmpty()) {
            throw new SettingsException(problems);
        }
    }

    /**
     * Reads and checks the settings of a process.
     *
     * @param flags values given on the command line, by key
     * @param environment the process's environment
     * @param passthrough the properties of the Kafka clients
     * @throws SettingsException naming every wrong or unknown setting
     */
    public static Settings read(Map<String, String> flags, Map<String, String> environment, Passthrough passthrough) {
        List<String> problems = new ArrayList<>();
        List<Given> given = Sources.ofProcess(flags, environment, new KnownKeys(passthrough), problems);
        return new Settings(given, passthrough, setting -> setting.variable() + " or " + setting.flag(), problems);
    }

    /**
     * Checks settings that another program has read.
     *
     * @param texts by key
     * @param prefix what stands before each key where that program has them from
     * @param passthrough the properties of the Kafka clients
     * @throws SettingsException naming every wrong or unknown setting
     */
    public static Settings of(Map<String, String> texts, String prefix, Passthrough passthrough) {
        List<Given> given = new ArrayList<>();
        new TreeMap<>(texts)
                .forEach((key, text) ->
                        given.add(Given.named(SettingSource.PROGRAM, key, text, prefix + key, prefix::concat)));
        return new Settings(given, passthrough, setting -> prefix + setting.key(), List.of());
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
        Given atStart = values.get(setting.key());
        Path file = atStart == null ? null : atStart.file();
        if (atStart == null || file == null) {
            Optional<String> fixed = find(setting);
            return () -> fixed;
        }
        Supplier<String> content = SecretFiles.readAgain(file, atStart.text());
        return () -> Optional.of(content.get());
    }

    /** Client properties as the operator gave them, by the client's own names. */
    public Map<String, String> passedThrough() {
        Map<String, String> properties = new LinkedHashMap<>();
        values.forEach((key, value) ->
                passthrough.property(key).ifPresent(property -> properties.put(property, value.text())));
        return properties;
    }

    /** Every setting of ours, then the client properties that were given, for people. */
    public List<EffectiveSetting> effective() {
        List<EffectiveSetting> all = new ArrayList<>();
        Setting.ALL.forEach(setting -> all.add(EffectiveSetting.of(
                setting.key(), setting.secret(), values.get(setting.key()), setting.defaultText())));
        values.forEach((key, given) -> passthrough
                .property(key)
                .filter(property ->
                        Setting.ALL.stream().noneMatch(ours -> ours.key().equals(key)))
                .ifPresent(property ->
                        all.add(EffectiveSetting.of(key, passthrough.isSecret().test(property), given, null))));
        return all;
    }

    private @Nullable String text(Setting<?> setting) {
        Given value = values.get(setting.key());
        return value == null ? setting.defaultText() : value.text();
    }

    private void take(List<Given> given, List<String> problems) {
        KnownKeys keys = new KnownKeys(passthrough);
        for (Given each : given) {
            Optional<String> refusal = keys.refusal(each);
            refusal.ifPresent(problems::add);
            if (refusal.isEmpty() && !each.text().isEmpty()) { // empty means unset, as compose files and shells do it
                values.put(each.key(), each);
            }
        }
    }

    private void findWrongValues(List<String> problems) {
        for (Setting<?> setting : Setting.ALL) {
            try {
                find(setting);
            } catch (IllegalArgumentException wrong) {
                Given value = values.get(setting.key());
                problems.add("setting " + (value == null ? setting.key() : value.place()) + " is wrong: expected "
                        + setting.expected() + ", got " + shown(setting));
            }
        }
        values.forEach((key, value) -> passthrough
                .property(key)
                .flatMap(property -> passthrough.check().apply(property, value.text()))
                .ifPresent(wrong -> problems.add("setting " + value.place() + " is wrong: " + wrong)));
    }

    /** People put passwords into URLs: of those only the scheme is repeated. */
    private String shown(Setting<?> setting) {
        String text = String.valueOf(text(setting));
        if (setting.secret()) {
            return "a secret";
        }
        return '"' + (setting.equals(Setting.DATABASE_URL) ? text.replaceFirst("(?s)[:@/?].*", "…") : text) + '"';
    }

    private void findWhatIsWrongTogether(List<String> problems) {
        Duration takeover = get(Setting.TAKEOVER_AFTER);
        if (takeover.compareTo(get(Setting.HEARTBEAT_INTERVAL).multipliedBy(3)) < 0) {
            problems.add("setting takeover.after is wrong: expected at least three times heartbeat.interval ("
                    + text(Setting.HEARTBEAT_INTERVAL) + "), got \"" + text(Setting.TAKEOVER_AFTER)
                    + "\": live enqueuers would take each other's lanes");
        }
        long batchMillis = get(Setting.PUBLISH_TIMEOUT).toMillis();
        passthrough.notShorterThanBatch().forEach((property, otherwise) -> {
            String millis = passedThrough().getOrDefault(property, "");
            if (millis.matches("\\d{1,9}") && Integer.parseInt(millis) < batchMillis) {
                problems.add("setting " + passthrough.prefix() + property
                        + " is wrong: expected at least publish.timeout (" + text(Setting.PUBLISH_TIMEOUT)
                        + "), got \"" + millis + "\": " + otherwise);
            }
        });
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
    }
}
