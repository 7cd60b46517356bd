package io.stagedjobs.daemon.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The secrets that callers send. They may change while the process runs.
 *
 * @param operator permits everything
 * @param readOnly permits what changes nothing, payloads excepted
 */
public record Tokens(Supplier<Optional<String>> operator, Supplier<Optional<String>> readOnly) {

    /** A shorter secret is none: a file that is written just now may be empty. */
    private static final int LENGTH_MIN = 16;

    /** Nobody has to send one. */
    public static final Tokens NONE = new Tokens(Optional::empty, Optional::empty);

    /** Whether callers have to send one. */
    public boolean required() {
        return operator.get().isPresent() || readOnly.get().isPresent();
    }

    boolean isOperator(String given) {
        return matches(operator.get(), given);
    }

    boolean isReadOnly(String given) {
        return matches(readOnly.get(), given);
    }

    /** Takes as long for a wrong secret that begins right as for one that does not. */
    private static boolean matches(Optional<String> token, String given) {
        return token.isPresent()
                && token.get().length() >= LENGTH_MIN
                && MessageDigest.isEqual(token.get().getBytes(UTF_8), given.getBytes(UTF_8));
    }
}
