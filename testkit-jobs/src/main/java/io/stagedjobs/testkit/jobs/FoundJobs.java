package io.stagedjobs.testkit.jobs;

import io.stagedjobs.enqueuer.postgres.StatusReader;
import java.util.List;
import java.util.stream.Collectors;
import org.assertj.core.api.AssertProvider;

/**
 * Jobs that a test found at one look. AssertJ's own {@code assertThat} takes them and offers {@link FoundJobsAssert}.
 *
 * @param jobs in the order of their positions; positions of different keys tell nothing
 */
public record FoundJobs(List<FoundJob> jobs) implements AssertProvider<FoundJobsAssert> {

    private static final int JOBS_SHOWN_MAX = 20;

    public FoundJobs {
        jobs = List.copyOf(jobs);
    }

    /** For AssertJ; a test calls {@code Assertions.assertThat(jobs)}. */
    @Override
    public FoundJobsAssert assertThat() {
        return new FoundJobsAssert(this);
    }

    /** How many they are, and the first ones, each in a line of its own. */
    @Override
    public String toString() {
        String lines =
                jobs.stream().limit(JOBS_SHOWN_MAX).map(job -> "\n  " + job).collect(Collectors.joining());
        int more = jobs.size() - JOBS_SHOWN_MAX;
        return jobs.isEmpty()
                ? "none"
                : StatusReader.jobs(jobs.size()) + ":" + lines + (more > 0 ? "\n  and " + more + " more" : "");
    }
}
