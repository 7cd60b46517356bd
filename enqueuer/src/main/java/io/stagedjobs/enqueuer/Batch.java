package io.stagedjobs.enqueuer;

import java.util.List;

/**
 * The jobs of one lane that were read together.
 *
 * @param number one more than that of the lane's batch before it; 0 if the delivery mode keeps no progress
 * @param jobs in id order; empty if nothing waits
 */
public record Batch(long number, List<Job> jobs) {}
