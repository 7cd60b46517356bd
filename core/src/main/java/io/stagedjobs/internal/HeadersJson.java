package io.stagedjobs.internal;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes headers as a JSON object of strings, as the tables keep them. */
public final class HeadersJson {

    private HeadersJson() {}

    /** Null if there are none. */
    public static @Nullable String of(Map<String, String> headers) {
        if (headers.isEmpty()) {
            return null;
        }
        StringBuilder json = new StringBuilder("{");
        headers.forEach((header, value) -> {
            json.append(json.length() == 1 ? "" : ",");
            appendString(json, header);
            json.append(':');
            appendString(json, value);
        });
        return json.append('}').toString();
    }

    /** Appends {@code text} as a JSON string, quotes included. */
    public static void appendString(StringBuilder json, String text) {
        json.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                json.append('\\').append(c);
            } else if (c < ' ') {
                json.append(String.format("\\u%04x", (int) c));
            } else {
                json.append(c);
            }
        }
        json.append('"');
    }
}
