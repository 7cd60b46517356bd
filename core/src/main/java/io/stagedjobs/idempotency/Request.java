package io.stagedjobs.idempotency;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Objects;

/**
 * A request that a client may repeat.
 *
 * @param scope the owner of the key, for instance the client's account and the endpoint. Never take it from anything
 *     that a client can choose freely: anyone with scope, key and fingerprint gets the response. 1 to 255 characters
 * @param key the client's idempotency key, 1 to 255 characters
 * @param fingerprint distinguishes this request from others, for instance a digest of it; 1 to 255 characters
 */
public record Request(String scope, String key, String fingerprint) {

    private static final int TEXT_LENGTH_MAX = 255;

    /** @throws IllegalArgumentException if a part is empty, too long or not valid text; a service answers 400 */
    public Request {
        check("scope", scope);
        check("key", key);
        check("fingerprint", fingerprint);
    }

    /** A request whose fingerprint is the SHA-256 of method, target and body. */
    public static Request of(String scope, String key, String method, String target, byte[] body) {
        MessageDigest digest = sha256();
        for (byte[] part : new byte[][] {method.getBytes(UTF_8), target.getBytes(UTF_8), body}) {
            // With its length, so that two different requests cannot give the same bytes.
            digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(part.length).flip());
            digest.update(part);
        }
        return new Request(scope, key, HexFormat.of().formatHex(digest.digest()));
    }

    private static void check(String part, String text) {
        String what = "the " + part + " of an idempotent request";
        requireText(what, text);
        int length = text.codePointCount(0, text.length());
        if (length < 1 || length > TEXT_LENGTH_MAX) {
            throw new IllegalArgumentException(what + " has 1 to " + TEXT_LENGTH_MAX + " characters, not " + length);
        }
        if (text.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(what + " contains a control character");
        }
    }

    /** Refuses text that PostgreSQL cannot store. */
    static void requireText(String what, String text) {
        if (Objects.requireNonNull(text, () -> what + " must not be null").indexOf('\0') >= 0
                || !UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException(what + " contains the character NUL or half of a surrogate pair");
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
