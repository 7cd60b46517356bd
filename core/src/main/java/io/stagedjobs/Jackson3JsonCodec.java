package io.stagedjobs;

import tools.jackson.core.JacksonException;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Writes and reads payloads with Jackson 3 ({@code tools.jackson}), an optional dependency of this library. */
public final class Jackson3JsonCodec implements JsonCodec {

    private final ObjectMapper mapper;

    /** Uses its own mapper, with every module on the class path, and writes times as ISO 8601 text. */
    public Jackson3JsonCodec() {
        this(JsonMapper.builder()
                .findAndAddModules()
                .enable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
                .build());
    }

    public Jackson3JsonCodec(ObjectMapper mapper) {
        this.mapper = mapper;
    }

    @Override
    public byte[] toBytes(Object value) {
        try {
            return mapper.writeValueAsBytes(value);
        } catch (JacksonException e) {
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
        } catch (JacksonException e) {
            String place = e.getLocation() == null
                    ? ""
                    : ", line " + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr();
            // Its own message may show the value.
            throw new UnreadablePayloadException("cannot read the JSON as " + type.getName() + ": "
                    + e.getClass().getSimpleName() + " at " + e.getPathReference() + place);
        }
    }
}
