package io.stagedjobs;

import java.util.ServiceLoader;

/**
 * Turns an application's object into the JSON bytes of a payload. Implementations are safe for use by many threads.
 *
 * <p>An application names its codec with each payload ({@link StagedJob.Builder#json(Object, JsonCodec)}) or registers
 * it for {@link ServiceLoader} under this interface's name. Without either, Jackson writes it: {@link
 * Jackson3JsonCodec} where Jackson 3 is on the class path, else {@link Jackson2JsonCodec}. The two may write one object
 * differently, such as the order of its properties: an application that has both and cares names its codec.
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
     * The codec used when a payload names none.
     *
     * @throws IllegalStateException if no codec is registered and Jackson is absent
     */
    static JsonCodec installed() {
        return InstalledJsonCodec.get();
    }
}
