package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.postgres.Database;
import io.stagedjobs.enqueuer.settings.EffectiveSetting;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.SettingSource;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Prints the settings that a command here would have; connects to nothing. */
@Command(
        name = "config",
        description =
                "Shows the effective settings and who gave them: a flag, the environment, the settings file or the"
                        + " default. Masks secrets. Connects to nothing.",
        footer = {"  staged-jobs config", "  staged-jobs config --json | jq '.[] | select(.source != \"default\")'"},
        mixinStandardHelpOptions = true)
final class ConfigCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    @Override
    public Integer call() {
        TerminalWriter out = (TerminalWriter) spec.commandLine().getOut();
        List<EffectiveSetting> settings = Cli.settings(spec).effective().stream()
                .map(ConfigCommand::withoutSecrets)
                .toList();
        if (json) {
            Json.print(out, settings);
            return 0;
        }
        int widest = settings.stream()
                .mapToInt(setting -> setting.key().length())
                .max()
                .orElse(1);
        for (EffectiveSetting setting : settings) {
            String key = Cli.printable(setting.key());
            out.print(Style.BOLD, key + " ".repeat(Math.max(0, widest - key.length())));
            out.println(
                    "  " + (setting.value() == null ? "(not set)" : Cli.printable(setting.value())) + from(setting));
        }
        return 0;
    }

    /** People put passwords into URLs. */
    private static EffectiveSetting withoutSecrets(EffectiveSetting setting) {
        String value = setting.value();
        return value == null || !setting.key().equals(Setting.DATABASE_URL.key())
                ? setting
                : new EffectiveSetting(
                        setting.key(), Database.masked(value), setting.secret(), setting.source(), setting.place());
    }

    private static String from(EffectiveSetting setting) {
        if (setting.source() == SettingSource.NONE) {
            return "";
        }
        String place = setting.place().isEmpty() ? "" : " " + Cli.printable(setting.place());
        return "  (" + setting.source() + place + ")";
    }
}
