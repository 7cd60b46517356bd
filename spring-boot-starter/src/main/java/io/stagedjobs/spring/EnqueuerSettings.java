package io.stagedjobs.spring;

import io.stagedjobs.enqueuer.kafka.KafkaProperties;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.jdbc.autoconfigure.JdbcConnectionDetails;

/** The settings of the enqueuer inside an application: its properties, and for those not given, its data source's. */
final class EnqueuerSettings {

    static final String PREFIX = StagedJobsProperties.PREFIX + ".enqueuer.";
    static final String ENABLED = "enabled";

    private static final String SCHEMA = StagedJobsProperties.PREFIX + ".schema";
    private static final String ADMIN = "admin.";
    private static final String PASSWORD_FILE = Setting.DATABASE_PASSWORD.key() + ".file";

    /** A setting's name in the enqueuer's messages. */
    private static final Pattern VARIABLE = Pattern.compile("STAGED_JOBS_([A-Z]+(?:_[A-Z]+)*_?)");

    private EnqueuerSettings() {}

    /**
     * Reads and checks them.
     *
     * @param dataSource the application's way to its database, if Spring Boot knows it
     * @throws SettingsException if a setting is wrong, unknown or missing; the message names it
     */
    static Settings of(StagedJobsProperties properties, @Nullable JdbcConnectionDetails dataSource) {
        Map<String, String> given = new HashMap<>(properties.enqueuer());
        given.remove(ENABLED);
        refuseWhatIsSaidElsewhere(given);
        given.put(Setting.DATABASE_SCHEMA.key(), properties.schema());
        if (dataSource != null && !given.containsKey(Setting.DATABASE_URL.key())) {
            given.put(Setting.DATABASE_URL.key(), dataSource.getJdbcUrl());
            if (!given.containsKey(Setting.DATABASE_USERNAME.key())
                    && !given.containsKey(Setting.DATABASE_PASSWORD.key())
                    && !given.containsKey(PASSWORD_FILE)) {
                putIfThere(given, Setting.DATABASE_USERNAME, dataSource.getUsername());
                putIfThere(given, Setting.DATABASE_PASSWORD, dataSource.getPassword());
            }
        }
        Settings settings = Settings.of(given, PREFIX, KafkaProperties.PASSTHROUGH);
        settings.get(Setting.DATABASE_URL);
        settings.get(Setting.KAFKA_BOOTSTRAP_SERVERS);
        return settings;
    }

    /** The enqueuer's messages name environment variables; this derives the keys from them. */
    static String inSpringsWords(String message) {
        return VARIABLE.matcher(message).replaceAll(EnqueuerSettings::property);
    }

    private static String property(MatchResult variable) {
        String key = variable.group(1).toLowerCase(Locale.ROOT).replace('_', '.');
        return key.equals(Setting.DATABASE_SCHEMA.key()) ? SCHEMA : PREFIX + key;
    }

    private static void refuseWhatIsSaidElsewhere(Map<String, String> given) {
        List<String> problems = new ArrayList<>();
        for (String key : new TreeSet<>(given.keySet())) {
            if (key.startsWith(ADMIN)) {
                problems.add(
                        "setting " + PREFIX + key + " has no meaning: the enqueuer inside an application has no HTTP"
                                + " server of its own. Use Spring Boot's actuator.");
            } else if (key.equals(Setting.DATABASE_SCHEMA.key())) {
                problems.add("setting " + PREFIX + key + " cannot be given: the application and the enqueuer inside it"
                        + " have the same schema. Set " + SCHEMA + ".");
            }
        }
        if (!problems.isEmpty()) {
            throw new SettingsException(problems);
        }
    }

    private static void putIfThere(Map<String, String> given, Setting<String> setting, @Nullable String text) {
        if (text != null) {
            given.put(setting.key(), text);
        }
    }
}
