package io.stagedjobs.enqueuer;

/**
 * How much is read at once.
 *
 * @param rowsMax at least 1
 * @param bytesMax of payloads, keys and headers; a batch exceeds it by at most one job
 */
public record BatchLimits(int rowsMax, long bytesMax) {}
