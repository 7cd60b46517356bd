package io.stagedjobs.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What was measured, by what and under which name; repetitions are told as their median and range. */
final class Figures {

    private final Map<String, Map<String, List<Double>>> figures = new LinkedHashMap<>();
    private final Map<String, List<String>> faults = new LinkedHashMap<>();

    void add(String what, String name, double figure) {
        figures.computeIfAbsent(what, key -> new LinkedHashMap<>())
                .computeIfAbsent(name, key -> new ArrayList<>())
                .add(figure);
    }

    /** Takes note of what a check found; empty if nothing. */
    void fault(String what, String found) {
        if (!found.isEmpty()) {
            faults.computeIfAbsent(what, key -> new ArrayList<>()).add(found);
        }
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

    /** Prints a Markdown table with a row for each thing measured; the last column compares the first figure's medians. */
    void print(String title, String comparedWith) {
        System.out.println();
        System.out.println("### " + title);
        System.out.println();
        List<String> names = List.copyOf(figures.values().iterator().next().keySet());
        System.out.println("| relay | " + String.join(" | ", names) + " | ratio | checked |");
        System.out.println("| --- |" + " --- |".repeat(names.size() + 2));
        for (String what : figures.keySet()) {
            StringBuilder row = new StringBuilder("| " + what + " |");
            for (String name : names) {
                row.append(' ')
                        .append(figures.get(what).containsKey(name) ? words(what, name) : "")
                        .append(" |");
            }
            row.append(' ')
                    .append(
                            figures.containsKey(comparedWith)
                                    ? String.format(
                                            Locale.ROOT,
                                            "%.2f",
                                            median(what, names.get(0)) / median(comparedWith, names.get(0)))
                                    : "")
                    .append(" | ")
                    .append(faults.containsKey(what) ? faults.get(what) : "exact, in order")
                    .append(" |");
            System.out.println(row);
        }
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
