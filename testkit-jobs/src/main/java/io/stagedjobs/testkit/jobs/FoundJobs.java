package io.stagedjobs.testkit.jobs;

import io.stagedjobs.enqueuer.postgres.StatusReader;
import java.util.List;
import java.util.stream.Collectors;
import org.assertj.core.api.AssertProvider;

/**
 * Jobs that a test found with one query. AssertJ's own {@code assertThat} accepts them and returns a {@link
 * FoundJobsAssert}.
 *
 * @param jobs in the order of their positions; the order of different keys means nothing
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

    /** Their number, and the first ones, one per line. */
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
