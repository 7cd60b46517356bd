package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** What a person reads before the first command, and how it looks. */
class HelpTest {

    private static final Terminal TERMINAL = new Terminal(true, true, true, () -> Terminal.Size.USUAL);

    /** Every command of ours, with those inside others. */
    private static List<CommandLine> commands() {
        List<CommandLine> all = new ArrayList<>();
        collect(line(), all);
        return all;
    }

    private static CommandLine line() {
        PrintWriter nowhere = new PrintWriter(new StringWriter());
        return Cli.line(Map.of(), nowhere, nowhere, Terminal.NONE);
    }

    private static void collect(CommandLine command, List<CommandLine> all) {
        if (!command.getCommandSpec().helpCommand()) {
            all.add(command);
            command.getSubcommands().values().forEach(inside -> collect(inside, all));
        }
    }

    private static String[] words(CommandLine command) {
        return command.getCommandSpec().qualifiedName().split(" ");
    }

    private static String[] without(String first, String[] words) {
        assertThat(words[0]).isEqualTo(first);
        return Arrays.copyOfRange(words, 1, words.length);
    }

    @Test
    void every_command_explains_itself_with_examples_and_exit_codes() {
        assertThat(commands()).hasSizeGreaterThan(12).allSatisfy(command -> {
            String[] asked = Stream.concat(Arrays.stream(without("staged-jobs", words(command))), Stream.of("--help"))
                    .toArray(String[]::new);
            Command.Answer help = Command.run(Map.of(), asked);
            assertThat(help.exitCode()).isZero();
            assertThat(help.out().replaceAll("\\s+", " "))
                    .contains("Usage: " + command.getCommandSpec().qualifiedName(), "Examples:", "Exit codes:")
                    .contains(command.getCommandSpec().usageMessage().description());
        });
    }

    @Test
    void every_example_is_a_command_that_exists() {
        List<String> examples = commands().stream()
                .flatMap(command ->
                        Arrays.stream(command.getCommandSpec().usageMessage().footer()))
                .map(String::strip)
                .filter(example -> !example.startsWith("source "))
                .toList();
        assertThat(examples).hasSizeGreaterThan(20).allSatisfy(example -> {
            String command = example.replaceFirst(" [|#].*", "").strip();
            line().parseArgs(without("staged-jobs", command.split(" ")));
        });
    }

    @Test
    void the_manual_names_every_command() throws Exception {
        String manual = Files.readString(Path.of("../docs/cli.md"));
        String contract = Files.readString(Path.of("../docs/contract.md"));
        commands().stream()
                .filter(command -> command.getSubcommands().isEmpty())
                .map(command -> String.join(" ", without("staged-jobs", words(command))))
                .forEach(name -> {
                    assertThat(manual).as(name).contains("staged-jobs " + name);
                    assertThat(contract).as(name).contains("| `" + name);
                });
    }

    @Test
    void help_has_colours_on_a_terminal_unless_the_person_wants_none() {
        assertThat(help(TERMINAL)).contains("\u001b[");
        assertThat(help(Terminal.NONE)).contains("Usage:").doesNotContain("\u001b");
        assertThat(help(new Terminal(true, true, false, () -> Terminal.Size.USUAL)))
                .contains("Usage:")
                .doesNotContain("\u001b");
    }

    private static String help(Terminal terminal) {
        StringWriter out = new StringWriter();
        assertThat(Cli.execute(
                        List.of("status", "--help"),
                        Map.of(),
                        new PrintWriter(out, true),
                        new PrintWriter(out, true),
                        terminal))
                .isZero();
        return out.toString();
    }

    @Test
    void no_color_and_a_terminal_without_control_sequences_are_respected() {
        assertThat(Terminal.of("out,err", Map.of("TERM", "xterm")))
                .returns(true, Terminal::out)
                .returns(true, Terminal::err)
                .returns(true, Terminal::colours);
        assertThat(Terminal.of("out,err", Map.of("TERM", "xterm", "NO_COLOR", "1"))
                        .colours())
                .isFalse();
        assertThat(Terminal.of("out,err", Map.of("TERM", "xterm", "NO_COLOR", ""))
                        .colours())
                .isTrue();
        assertThat(Terminal.of("out,err", Map.of("TERM", "dumb")).out()).isFalse();
        assertThat(Terminal.of("out,err", Map.of()).err()).isFalse();
        assertThat(Terminal.of(",err", Map.of("TERM", "xterm")))
                .returns(false, Terminal::out)
                .returns(true, Terminal::err);
    }

    @Test
    void the_completion_script_knows_commands_and_options() {
        Command.Answer script = Command.run(Map.of(), "generate-completion");
        assertThat(script.exitCode()).isZero();
        assertThat(script.out()).contains("complete ", "staged-jobs", "--database-url", "requeue", "--watch");
        assertThat(script.out()).doesNotContain("\\u00");
    }

    @Test
    void foreign_text_cannot_control_the_terminal() {
        assertThat(PrintableWriter.escaped("a\u001b[2J\r\n\tb\u202e\u2066\u2028\u0085é漢\ud83d\ude00"))
                .isEqualTo("a\\u001b[2J\\u000d\\u000a\\u0009b\\u202e\\u2066\\u2028\\u0085é漢\ud83d\ude00");
        assertThat(PrintableWriter.escaped("\udb40\udc41")).isEqualTo("\\udb40\\udc41"); // a tag that nobody sees
        StringWriter raw = new StringWriter();
        TerminalWriter terminal = new TerminalWriter(raw, true, true);
        terminal.println(Line.bad("\u001b]0;title\u0007"));
        assertThat(raw).hasToString("\u001b[31m\\u001b]0;title\\u0007\u001b[0m" + System.lineSeparator());
    }

    @Test
    void without_a_terminal_no_control_sequence_is_written() {
        StringWriter raw = new StringWriter();
        TerminalWriter file = new TerminalWriter(raw, false, true);
        file.println(Line.bad("wrong"));
        file.control(TerminalWriter.ERASE_LINE);
        assertThat(raw).hasToString("wrong" + System.lineSeparator());
    }

    @Test
    void progress_is_told_with_rate_and_time_left_as_far_as_they_are_known() {
        assertThat(ProgressLine.words(5000, 20_000, 10))
                .isEqualTo("[####............] 5,000 of 20,000 jobs, 25 %, 500 jobs/s, about 30 s left");
        assertThat(ProgressLine.words(0, 20_000, 3))
                .isEqualTo("[................] 0 of 20,000 jobs, 0 %, 3.0 s so far");
        assertThat(ProgressLine.words(1200, 0, 60)).isEqualTo("1,200 jobs, 20 jobs/s");
        assertThat(ProgressLine.words(30, 20, 1)).startsWith("[################] 30 of 20 jobs, 100 %");
    }

    @Test
    void spans_of_time_have_the_largest_unit_of_which_there_are_two() {
        assertThat(Stream.of(0.04, 9.9, 119.0, 121.0, 7199.0, 7300.0, 172_000.0, 864_000.0)
                        .map(Figures::seconds))
                .containsExactly("0.0 s", "9.9 s", "119 s", "2 min", "120 min", "2 h", "48 h", "10 days");
    }
}
