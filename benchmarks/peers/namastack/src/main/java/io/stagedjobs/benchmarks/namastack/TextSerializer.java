package io.stagedjobs.benchmarks.namastack;

import io.namastack.outbox.OutboxPayloadSerializer;
import org.springframework.stereotype.Component;

/** Takes payloads as they are: text that the application has made already, as in the relays beside this one. */
@Component
final class TextSerializer implements OutboxPayloadSerializer {

    @Override
    public String serialize(Object payload) {
        return (String) payload;
    }

    @Override
    public <T> T deserialize(String payload, Class<T> type) {
        return type.cast(payload);
    }
}
