package io.stagedjobs.enqueuer;

/**
 * The limits of one read.
 *
 * @param rowsMax at least 1
 * @param bytesMax bytes of payloads, keys and headers; a batch exceeds it by at most one job
 */
public record BatchLimits(int rowsMax, long bytesMax) {}
