package io.stagedjobs;

import java.util.ServiceLoader;

/**
 * Turns an application's object into the JSON bytes of a payload, and back. Implementations must be thread-safe.
 *
 * <p>An application names its codec with each payload ({@link StagedJob.Builder#json(Object, JsonCodec)}) or registers
 * it for {@link ServiceLoader} under this interface's name. Otherwise Jackson writes it: {@link Jackson3JsonCodec} if
 * Jackson 3 is on the class path, else {@link Jackson2JsonCodec}. The two may write the same object differently, for
 * instance with another order of properties: if that matters and both are there, name the codec.
 */
@FunctionalInterface
public interface JsonCodec {

    /**
     * Writes one value.
     *
     * @return UTF-8 encoded JSON, not null
     * @throws RuntimeException if {@code value} cannot be written; the job is then not staged
     */
    byte[] toBytes(Object value);

    /**
     * Reads one value.
     *
     * @param json UTF-8 encoded JSON
     * @return an object of {@code type}, not null
     * @throws RuntimeException if the bytes are no such value; its message shows nothing of them
     */
    default <T> T fromBytes(byte[] json, Class<T> type) {
        throw new UnsupportedOperationException(getClass().getName() + " only writes JSON. Implement its method"
                + " fromBytes, or read the payload's bytes.");
    }

    /**
     * The codec for payloads that name none, and for reading.
     *
     * @throws IllegalStateException if no codec is registered and Jackson is absent
     */
    static JsonCodec installed() {
        return InstalledJsonCodec.get();
    }
}
