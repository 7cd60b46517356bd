package io.stagedjobs.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** What was measured, by what and under which name; repetitions are told as their median and range. */
final class Figures {

    private final Map<String, Map<String, List<Double>>> figures = new LinkedHashMap<>();
    private final Map<String, Set<String>> found = new LinkedHashMap<>();
    private final String what;
    private final List<String> names;

    /**
     * @param what heads the first column
     * @param names what comes first among the other columns, as far as there is something to tell under it
     */
    Figures(String what, String... names) {
        this.what = what;
        this.names = List.of(names);
    }

    void add(String what, String name, double figure) {
        figures.computeIfAbsent(what, key -> new LinkedHashMap<>())
                .computeIfAbsent(name, key -> new ArrayList<>())
                .add(figure);
    }

    /** Takes note of what a check found. */
    void found(String what, String words) {
        found.computeIfAbsent(what, key -> new TreeSet<>()).add(words);
    }

    double median(String what, String name) {
        List<Double> sorted = sorted(what, name);
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }

    private List<Double> sorted(String what, String name) {
        List<Double> sorted = new ArrayList<>(figures.get(what).get(name));
        Collections.sort(sorted);
        return sorted;
    }

    /**
     * Prints a Markdown table with a row for each thing measured.
     *
     * @param comparedWith whose median of the first figure the last column compares with; null for no such column
     */
    void print(String title, @Nullable String comparedWith) {
        Set<String> names = new LinkedHashSet<>(this.names);
        figures.values().forEach(row -> names.addAll(row.keySet()));
        names.removeIf(name -> figures.values().stream().noneMatch(row -> row.containsKey(name)));
        List<String> head = new ArrayList<>(List.of(what));
        head.addAll(names);
        if (comparedWith != null) {
            head.add("ratio");
        }
        if (!found.isEmpty()) {
            head.add("checked");
        }
        System.out.printf("%n### %s%n%n| %s |%n|%s%n", title, String.join(" | ", head), " --- |".repeat(head.size()));
        String first = names.iterator().next();
        figures.forEach((row, cells) -> {
            List<String> words = new ArrayList<>(List.of(row));
            names.forEach(name -> words.add(cells.containsKey(name) ? words(row, name) : ""));
            if (comparedWith != null) {
                words.add(String.format(Locale.ROOT, "%.2f", median(row, first) / median(comparedWith, first)));
            }
            if (!found.isEmpty()) {
                words.add(String.join("; ", found.getOrDefault(row, Set.of())));
            }
            System.out.println("| " + String.join(" | ", words) + " |");
        });
    }

    private String words(String what, String name) {
        List<Double> sorted = sorted(what, name);
        return sorted.size() == 1
                ? number(sorted.get(0))
                : number(median(what, name)) + " (" + number(sorted.get(0)) + " to "
                        + number(sorted.get(sorted.size() - 1)) + ")";
    }

    private static String number(double figure) {
        return String.format(Locale.ROOT, figure >= 1000 ? "%,.0f" : figure >= 10 ? "%.1f" : "%.2f", figure);
    }
}
