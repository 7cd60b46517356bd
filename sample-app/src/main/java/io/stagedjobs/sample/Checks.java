package io.stagedjobs.sample;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Checks input. The exception's message is the part of a sentence that says what is wrong. */
final class Checks {

    /** 64 characters, an @ and 255 more: the longest address in SMTP. */
    private static final int EMAIL_LENGTH_MAX = 320;

    /** Safe as a part of a path and as a key; it begins with a letter or digit, so that it is neither . nor .. */
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    private Checks() {}

    static void require(boolean holds, String problem) {
        if (!holds) {
            throw new InvalidInputException(problem);
        }
    }

    /** @return the text: not blank, not longer than allowed, and stored unchanged by PostgreSQL */
    static String text(String what, @Nullable String text, int lengthMax) {
        if (text == null || text.isBlank()) {
            throw new InvalidInputException("expected " + what + ", got nothing");
        }
        require(text.chars().noneMatch(Character::isISOControl), what + " contains NUL or another control character");
        // A decoder writes U+FFFD for bytes that are not UTF-8: two different texts could become one.
        require(
                text.codePoints().noneMatch(c -> c == 0xFFFD || Character.getType(c) == Character.SURROGATE),
                what + " is not valid UTF-8");
        int length = text.codePointCount(0, text.length());
        require(length <= lengthMax, what + " has " + length + " characters, at most " + lengthMax + " are allowed");
        return text;
    }

    static String email(@Nullable String text) {
        String email = text("the email address", text, EMAIL_LENGTH_MAX);
        require(email.indexOf('@') >= 0, "the email address has no @");
        // A + in a URL's query is a space: ada+tag@example.org would become another address.
        require(email.indexOf(' ') < 0, "the email address contains a space; in a URL, write + as %2B");
        return email;
    }

    static String id(@Nullable String text) {
        if (text == null || !isId(text)) {
            throw new InvalidInputException(
                    "an id has 1 to 64 letters, digits, dots, hyphens and underscores, and begins"
                            + " with a letter or digit");
        }
        return text;
    }

    static boolean isId(@Nullable String text) {
        return text != null && ID.matcher(text).matches();
    }
}
