package io.stagedjobs.sample;

import org.jspecify.annotations.Nullable;

/**
 * A value together with the ETag under which it was read over HTTP.
 *
 * @param etag as it was sent, quotes included; null if none was
 */
record Versioned<T>(T value, @Nullable String etag) {}
