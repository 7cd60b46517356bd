package io.stagedjobs.enqueuer;

import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A staged job, read from the table.
 *
 * @param id its position in the lane
 * @param headersJson the job's own headers as a JSON object of strings, null if it has none
 * @param stagedAt the time of staging by the database's clock, in microseconds
 */
public record Job(
        long id,
        UUID jobId,
        String topic,
        @Nullable String key,
        String name,
        byte @Nullable [] payload,
        @Nullable String headersJson,
        Instant stagedAt) {}
