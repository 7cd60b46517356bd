package io.stagedjobs.idempotency;

import io.stagedjobs.internal.Utf8;
import java.nio.charset.CharacterCodingException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A stored response. Immutable except for the body's array, which is neither copied nor changed.
 *
 * @param status the HTTP status, 100 to 599
 * @param headers the headers to repeat with the response, for instance {@code Location}
 * @param body the bytes, at most {@value #BODY_BYTES_MAX}; empty for none
 * @param replayed whether this is the response to an earlier request
 */
public record Response(int status, Map<String, String> headers, byte[] body, boolean replayed) {

    /** The largest body of a stored response. */
    public static final int BODY_BYTES_MAX = 1_000_000;

    /** @throws IllegalArgumentException if status or body is out of bounds, or a header is not valid text */
    public Response {
        headers = Collections.unmodifiableMap(new LinkedHashMap<>(headers));
        headers.forEach((name, value) -> {
            Request.requireText("the name of a response's header", name);
            Request.requireText("the value of a response's header", value);
        });
        if (status < 100 || status > 599) {
            throw new IllegalArgumentException("an HTTP status is 100 to 599, not " + status);
        }
        if (body.length > BODY_BYTES_MAX) {
            throw new IllegalArgumentException("the response has " + body.length + " bytes, at most " + BODY_BYTES_MAX
                    + " are kept for an idempotency key. Answer with a reference to it.");
        }
    }

    /** A response without headers. */
    public static Response of(int status, byte[] body) {
        return new Response(status, Map.of(), body, false);
    }

    /**
     * A response without headers, its body in UTF-8.
     *
     * @throws IllegalArgumentException if the body contains half of a surrogate pair
     */
    public static Response of(int status, String body) {
        try {
            return of(status, Utf8.encode(body));
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException(
                    "the body of a response contains half of a surrogate pair, which has no UTF-8 form", e);
        }
    }

    /** The same with one more header. */
    public Response header(String name, String value) {
        Map<String, String> more = new LinkedHashMap<>(headers);
        more.put(name, value);
        return new Response(status, more, body, replayed);
    }
}
