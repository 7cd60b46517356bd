package io.stagedjobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;

/** Writes and reads payloads with Jackson 2 ({@code com.fasterxml.jackson}), an optional dependency of this library. */
public final class Jackson2JsonCodec implements JsonCodec {

    private final ObjectMapper mapper;

    /** Uses its own mapper, with every module on the class path, and writes times as ISO 8601 text. */
    public Jackson2JsonCodec() {
        this(JsonMapper.builder()
                .findAndAddModules()
                .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
                .build());
    }

    public Jackson2JsonCodec(ObjectMapper mapper) {
        this.mapper = mapper;
    }

    @Override
    public byte[] toBytes(Object value) {
        try {
            return mapper.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new JobRefusedException(
                    "cannot write " + value.getClass().getName() + " as JSON, so the job was not staged: "
                            + e.getOriginalMessage(),
                    e);
        }
    }

    @Override
    public <T> T fromBytes(byte[] json, Class<T> type) {
        try {
            T value = mapper.readValue(json, type);
            if (value == null) {
                throw new UnreadablePayloadException("cannot read the JSON as " + type.getName() + ": it is null");
            }
            return value;
        } catch (IOException e) {
            throw new UnreadablePayloadException("cannot read the JSON as " + type.getName() + ": "
                    + e.getClass().getSimpleName() + place(e));
        }
    }

    /** Where the error is. Its own message may show the value. */
    private static String place(IOException e) {
        String path = e instanceof JsonMappingException mapping ? " at " + mapping.getPathReference() : "";
        return e instanceof JsonProcessingException json && json.getLocation() != null
                ? path + ", line " + json.getLocation().getLineNr() + ", column "
                        + json.getLocation().getColumnNr()
                : path;
    }
}
