package io.stagedjobs.enqueuer.settings;

import java.util.Comparator;
import java.util.Set;

/** Finds what a person most likely meant. */
public final class NearestName {

    private NearestName() {}

    /** That of the known words with the fewest letters to change. */
    public static String of(String word, Set<String> known) {
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
