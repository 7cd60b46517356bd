package io.stagedjobs;

import java.util.ServiceLoader;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Finds the default codec once: a registered one, else Jackson 3's, else Jackson 2's, else none. */
final class InstalledJsonCodec {

    private static final @Nullable JsonCodec CODEC = find();

    private InstalledJsonCodec() {}

    static JsonCodec get() {
        if (CODEC == null) {
            throw new IllegalStateException("cannot turn an object into JSON: no JsonCodec is registered and Jackson is"
                    + " not on the class path. Nothing was staged. Add tools.jackson.core:jackson-databind (Jackson 3)"
                    + " or com.fasterxml.jackson.core:jackson-databind (Jackson 2), register a JsonCodec for"
                    + " ServiceLoader, name one with json(value, codec), or hand the payload over as bytes or text.");
        }
        return CODEC;
    }

    private static @Nullable JsonCodec find() {
        JsonCodec registered = ServiceLoader.load(JsonCodec.class, JsonCodec.class.getClassLoader())
                .findFirst()
                .orElse(null);
        if (registered != null) {
            return registered;
        }
        JsonCodec jackson3 = ifThere(() -> new Jackson3JsonCodec());
        return jackson3 != null ? jackson3 : ifThere(() -> new Jackson2JsonCodec());
    }

    /** Null if its library is absent, or if its parts are of incompatible releases. */
    private static @Nullable JsonCodec ifThere(Supplier<JsonCodec> codec) {
        try {
            return codec.get();
        } catch (LinkageError absent) {
            return null;
        }
    }
}
