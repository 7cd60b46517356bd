package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.ParseResult;

/** The options that all commands have: each setting, the settings file, and the properties of Kafka's clients. */
final class SettingOptions {

    private static final String CONFIG_FILE = "--config-file";
    private static final String KAFKA = "--kafka";

    private SettingOptions() {}

    /** Adds them to a command, whose help lists them after its own options. */
    static void addTo(CommandSpec command) {
        command.usageMessage()
                .sectionMap()
                .put(
                        UsageMessageSpec.SECTION_KEY_OPTION_LIST,
                        help -> list(help, false)
                                + help.createHeading("%nSettings, which every command accepts:%n")
                                + list(help, true));
        command.addOption(OptionSpec.builder(CONFIG_FILE)
                .type(String.class)
                .paramLabel("FILE")
                .description("properties file with settings; flags and environment override it"
                        + " (STAGED_JOBS_CONFIG_FILE)")
                .build());
        for (Setting<?> setting : Setting.ALL) {
            String byDefault = setting.defaultText() == null ? "" : "; " + setting.defaultText() + " unless set";
            command.addOption(OptionSpec.builder(setting.flag())
                    .type(String.class)
                    .paramLabel("VALUE")
                    .description(setting.meaning() + byDefault + " (" + setting.variable() + ")")
                    .build());
        }
        command.addOption(OptionSpec.builder(KAFKA)
                .type(Map.class)
                .auxiliaryTypes(String.class, String.class)
                .paramLabel("PROPERTY=VALUE")
                .description("any property of Kafka's clients (STAGED_JOBS_KAFKA_<PROPERTY>)")
                .build());
    }

    private static String list(CommandLine.Help help, boolean settings) {
        List<OptionSpec> options = help.commandSpec().options().stream()
                .filter(option -> isSetting(option) == settings)
                .toList();
        CommandLine.Help.Layout layout = help.createDefaultLayout(options, List.of(), help.colorScheme());
        return help.optionListExcludingGroups(options, layout, null, help.parameterLabelRenderer());
    }

    private static boolean isSetting(OptionSpec option) {
        String name = option.longestName();
        return name.equals(CONFIG_FILE)
                || name.equals(KAFKA)
                || Setting.ALL.stream().anyMatch(setting -> setting.flag().equals(name));
    }

    /** The settings of a command: its flags, then the environment, then the file. */
    static Settings read(ParseResult parsed, Map<String, String> environment) {
        Map<String, String> flags = new HashMap<>();
        Setting.ALL.forEach(setting -> take(parsed, setting.flag(), setting.key(), flags));
        take(parsed, CONFIG_FILE, "config.file", flags);
        return EnqueuerAssembly.settings(flags, parsed.matchedOptionValue(KAFKA, Map.of()), environment);
    }

    private static void take(ParseResult parsed, String flag, String key, Map<String, String> flags) {
        String value = parsed.matchedOptionValue(flag, (String) null);
        if (value != null) {
            flags.put(key, value);
        }
    }

    static boolean isKafka(OptionSpec option) {
        return option.longestName().equals(KAFKA);
    }
}
