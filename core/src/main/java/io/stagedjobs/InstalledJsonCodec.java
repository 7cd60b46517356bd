package io.stagedjobs;

import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/** Finds the default codec once: a registered one, else Jackson's, else none. */
final class InstalledJsonCodec {

    private static final @Nullable JsonCodec CODEC = find();

    private InstalledJsonCodec() {}

    static JsonCodec get() {
        if (CODEC == null) {
            throw new IllegalStateException(
                    "cannot turn an object into JSON: no JsonCodec is registered and Jackson is not on the class path."
                            + " Add com.fasterxml.jackson.core:jackson-databind, register a JsonCodec for ServiceLoader, or"
                            + " hand the payload over as bytes or text.");
        }
        return CODEC;
    }

    private static @Nullable JsonCodec find() {
        return ServiceLoader.load(JsonCodec.class, JsonCodec.class.getClassLoader())
                .findFirst()
                .orElseGet(InstalledJsonCodec::jackson);
    }

    private static @Nullable JsonCodec jackson() {
        try {
            return new JacksonJsonCodec();
        } catch (NoClassDefFoundError absent) {
            return null;
        }
    }
}
