package io.stagedjobs.daemon.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.PrintWriter;

/** Output for programs: one document, in one line. {@code docs/cli.md} has the shapes. */
final class Json {

    /** Describes the option of every command that prints something. */
    static final String OPTION = "one JSON document instead of text";

    private static final JsonMapper MAPPER = new JsonMapper();

    private Json() {}

    static void print(PrintWriter out, Object value) {
        try {
            out.println(MAPPER.writeValueAsString(value));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("could not write " + value.getClass() + " as JSON", e);
        }
    }
}
