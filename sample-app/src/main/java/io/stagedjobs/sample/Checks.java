package io.stagedjobs.sample;

import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import java.io.IOException;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Looks at what comes from outside. What is wrong is told in the words of whoever made these checks. */
final class Checks {

    /** 64 characters, an @ and 255 more: what SMTP lets an address have. */
    private static final int EMAIL_LENGTH_MAX = 320;

    /** Safe as a part of a path and as a key; it begins with a letter or digit, so that it is neither . nor .. */
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    private final Function<String, RequestFailedException> failure;

    /** @param failure made of a part of a sentence that says what is wrong */
    Checks(Function<String, RequestFailedException> failure) {
        this.failure = failure;
    }

    /** Checks of a request; {@code usage} is what should have been sent. */
    static Checks ofRequest(String usage) {
        return new Checks(problem -> new RequestFailedException(
                HttpStatus.BAD_REQUEST,
                "Cannot take this request: " + problem + ". Nothing was kept. Send " + usage + "."));
    }

    /** To be thrown by the caller, so that the compiler knows the way ends there. */
    RequestFailedException failed(String problem) {
        return failure.apply(problem);
    }

    void require(boolean holds, String problem) {
        if (!holds) {
            throw failed(problem);
        }
    }

    /** @return the text, which is not blank, of no more characters than allowed, and such that PostgreSQL keeps it as it is */
    String text(String what, @Nullable String text, int lengthMax) {
        if (text == null || text.isBlank()) {
            throw failed("expected " + what + ", got nothing");
        }
        require(text.chars().noneMatch(Character::isISOControl), what + " contains NUL or another control character");
        // U+FFFD is what a decoder puts where bytes are not UTF-8: two different texts could become one.
        require(
                text.codePoints().noneMatch(c -> c == 0xFFFD || Character.getType(c) == Character.SURROGATE),
                what + " is not valid UTF-8");
        int length = text.codePointCount(0, text.length());
        require(length <= lengthMax, what + " has " + length + " characters, at most " + lengthMax + " are allowed");
        return text;
    }

    String email(@Nullable String text) {
        String email = text("the email address", text, EMAIL_LENGTH_MAX);
        require(email.indexOf('@') >= 0, "the email address has no @");
        return email;
    }

    String id(@Nullable String text) {
        if (text == null || !isId(text)) {
            throw failed("an id has 1 to 64 letters, digits, dots, hyphens and underscores, and begins with a letter or"
                    + " digit");
        }
        return text;
    }

    static boolean isId(@Nullable String text) {
        return text != null && ID.matcher(text).matches();
    }

    /** The request's body, of exactly this shape. */
    <T> T body(Context ctx, Class<T> type) {
        try {
            return Json.REQUESTS.read(ctx.bodyAsBytes(), type);
        } catch (IOException unfit) {
            throw failed("the body is not the JSON that was expected");
        }
    }
}
