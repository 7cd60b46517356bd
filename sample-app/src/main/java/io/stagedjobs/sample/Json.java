package io.stagedjobs.sample;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** JSON that is read strictly: a field that is missing, or has another type, is an error and no default. */
final class Json {

    /** For requests: a field that nobody knows is a mistake the client should hear of. */
    static final Json REQUESTS = new Json(true);

    /** For what other services say: they may say more than we read. */
    static final Json SERVICES = new Json(false);

    private final ObjectMapper mapper;

    private Json(boolean unknownRefused) {
        this.mapper = JsonMapper.builder()
                .enable(
                        DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
                        DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES,
                        DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, unknownRefused)
                .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .build();
    }

    /** @throws IOException if the bytes are no JSON, or of another shape */
    <T> T read(byte[] json, Class<T> type) throws IOException {
        return notNull(mapper.readValue(json, type));
    }

    /** As {@link #read}, for a list of values, any of which may be null. */
    <T> List<T> readList(byte[] json, Class<T> type) throws IOException {
        List<T> list = mapper.readValue(json, mapper.getTypeFactory().constructCollectionType(List.class, type));
        return notNull(list);
    }

    private static <T> T notNull(@Nullable T value) throws IOException {
        if (value == null) {
            throw new IOException("the JSON value is null");
        }
        return value;
    }

    byte[] write(Object value) {
        try {
            return mapper.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write " + value.getClass() + " as JSON", e);
        }
    }
}
