package io.stagedjobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;

/** Writes payloads with Jackson 2, an optional dependency of this library. */
public final class JacksonJsonCodec implements JsonCodec {

    private final ObjectMapper mapper;

    /** Uses a mapper of its own with every module that is found on the class path. */
    public JacksonJsonCodec() {
        this(JsonMapper.builder().findAndAddModules().build());
    }

    public JacksonJsonCodec(ObjectMapper mapper) {
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
}
