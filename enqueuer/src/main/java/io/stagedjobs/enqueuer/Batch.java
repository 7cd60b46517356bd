package io.stagedjobs.enqueuer;

import java.util.List;

/**
 * The jobs of one lane that one claim read.
 *
 * @param number one more than the number of the lane's previous batch; 0 if the delivery mode keeps no progress
 * @param jobs in id order; empty if no job waits
 */
public record Batch(long number, List<Job> jobs) {}
