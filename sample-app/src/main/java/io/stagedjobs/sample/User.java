package io.stagedjobs.sample;

import org.jspecify.annotations.Nullable;

/**
 * A user as stored, and as the service answers it in JSON.
 *
 * @param name null until somebody gives the user one
 * @param createdAt RFC 3339, UTC
 */
record User(long id, String email, @Nullable String name, String createdAt) {}
