package io.stagedjobs.sample;

import org.jspecify.annotations.Nullable;

/**
 * An order as stored, and as the service answers it in JSON.
 *
 * @param buyer null while the order is open
 * @param completedAt RFC 3339, UTC; null while the order is open
 */
record Order(
        String id,
        long amountCents,
        @Nullable User buyer,
        @Nullable String completedAt) {}
