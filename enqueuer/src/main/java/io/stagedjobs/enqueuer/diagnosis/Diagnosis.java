package io.stagedjobs.enqueuer.diagnosis;

import java.util.List;

/**
 * What {@link Doctor} found.
 *
 * @param why answers "why is nothing moving?", or says that jobs move or that none waits; names cause and fix
 * @param findings of all checks, worst first
 */
public record Diagnosis(String why, List<Finding> findings) {

    /** Whether a person has to do something. */
    public boolean isWrong() {
        return findings.stream().anyMatch(finding -> finding.verdict() == Verdict.WRONG);
    }
}
