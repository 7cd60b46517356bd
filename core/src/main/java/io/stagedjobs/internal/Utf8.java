package io.stagedjobs.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;

/** Encodes UTF-8, but refuses half of a surrogate pair, for which {@link String#getBytes} writes a question mark. */
public final class Utf8 {

    private Utf8() {}

    /** @throws CharacterCodingException if the text contains half of a surrogate pair */
    public static byte[] encode(String text) throws CharacterCodingException {
        ByteBuffer bytes = UTF_8.newEncoder().encode(CharBuffer.wrap(text));
        byte[] encoded = new byte[bytes.remaining()];
        bytes.get(encoded);
        return encoded;
    }
}
