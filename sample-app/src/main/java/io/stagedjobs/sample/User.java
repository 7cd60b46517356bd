package io.stagedjobs.sample;

import java.time.OffsetDateTime;
import org.jspecify.annotations.Nullable;

/**
 * A user as stored, and as the service answers it in JSON.
 *
 * @param name null until somebody gives the user one
 * @param createdAt RFC 3339, UTC
 */
record User(long id, String email, @Nullable String name, String createdAt) {

    static User of(long id, String email, @Nullable String name, OffsetDateTime createdAt) {
        return new User(id, email, name, createdAt.toInstant().toString());
    }
}
