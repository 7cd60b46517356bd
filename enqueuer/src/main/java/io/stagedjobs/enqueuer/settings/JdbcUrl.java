package io.stagedjobs.enqueuer.settings;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLDecoder;
import java.util.regex.Pattern;

/** What the driver cannot read it repeats in its messages, secrets included; so it gets no such URL. */
final class JdbcUrl {

    /**
     * A server, or several after commas, each without a role or password in it: the driver would take that for a port.
     */
    private static final String SERVERS = "[^@:/?#,\\[\\]]*|\\[[0-9a-fA-F:.%]*\\]";

    private static final Pattern SHAPE =
            Pattern.compile("(?s)jdbc:postgresql:(//SERVER(,SERVER)*(/[^?]*)?|[^/?:@]*)(\\?.*)?"
                    .replace("SERVER", "(" + SERVERS + ")(:\\d{0,5})?"));

    private JdbcUrl() {}

    /**
     * @return the URL as it is
     * @throws IllegalArgumentException if the driver could not read it
     */
    static String parse(String text) {
        if (!SHAPE.matcher(text).matches()) {
            throw new IllegalArgumentException();
        }
        URLDecoder.decode(text, UTF_8); // throws for a % that stands for nothing
        return text;
    }
}
