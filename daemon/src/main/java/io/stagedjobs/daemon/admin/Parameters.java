package io.stagedjobs.daemon.admin;

import static io.stagedjobs.daemon.admin.Answers.refusal;

import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The parameters of a request, each checked; whatever is wrong is refused with what is accepted. */
final class Parameters {

    static final Set<String> STATES = Set.of("held", "parked");

    private static final Pattern ID = Pattern.compile("[0-9]{1,18}");
    private static final Pattern TOPIC = Pattern.compile("[A-Za-z0-9._-]{1,249}");
    private static final int KEY_MAX = 4096;
    private static final int NAME_MAX = 255;

    private final Map<String, List<String>> given;

    private Parameters(Map<String, List<String>> given) {
        this.given = given;
    }

    /** @throws HttpResponseException if one is given that is not {@code accepted}, or twice */
    static Parameters of(Context context, Set<String> accepted) {
        Map<String, List<String>> given;
        try {
            given = context.queryParamMap();
        } catch (RuntimeException unreadable) {
            throw refusal(
                    400, "the query cannot be read; write parameters as name=value, with %XX for what is special");
        }
        given.forEach((name, values) -> {
            if (!accepted.contains(name)) {
                throw refusal(400, "unknown parameter; accepted are " + new TreeSet<>(accepted));
            }
            if (values.size() != 1) {
                throw refusal(400, "parameter " + name + " is given more than once");
            }
        });
        return new Parameters(given);
    }

    @Nullable
    String text(String name) {
        List<String> values = given.get(name);
        return values == null ? null : values.get(0);
    }

    long number(String name, long min, long max, long byDefault) {
        String text = text(name);
        if (text == null) {
            return byDefault;
        }
        long number = ID.matcher(text).matches() ? Long.parseLong(text) : -1;
        if (number < min || number > max) {
            throw refusal(400, name + " is wrong: expected a whole number from " + min + " to " + max);
        }
        return number;
    }

    boolean flag(String name) {
        String text = text(name);
        if (text != null && !text.equals("true") && !text.equals("false")) {
            throw refusal(400, name + " is wrong: expected true or false");
        }
        return "true".equals(text);
    }

    /** The id in a path. */
    static long id(Context context) {
        String text = context.pathParam("id");
        if (!ID.matcher(text).matches()) {
            throw refusal(400, "the id is wrong: expected a whole number, as /api/v1/jobs shows it");
        }
        return Long.parseLong(text);
    }

    /** @throws HttpResponseException if it makes no sense */
    static Outbox.Selection checked(Outbox.Selection selection, Set<String> reasons) {
        String key = selection.key();
        String name = selection.name();
        if (selection.state() != null && !STATES.contains(selection.state())) {
            throw refusal(400, "state is wrong: expected held or parked");
        }
        if (selection.topic() != null) {
            checkedTopic(selection.topic());
        }
        if (selection.reason() != null && !reasons.contains(selection.reason())) {
            throw refusal(400, "reason is wrong: expected one of " + new TreeSet<>(reasons));
        }
        if (key != null && selection.topic() == null) {
            throw refusal(400, "key needs topic: a key belongs to one topic");
        }
        if ((key != null && !isText(key, KEY_MAX)) || (name != null && !isText(name, NAME_MAX))) {
            throw refusal(
                    400,
                    "key or name is wrong: expected Unicode text of at most " + KEY_MAX + " and " + NAME_MAX
                            + " characters, without NUL");
        }
        return selection;
    }

    static String checkedTopic(String topic) {
        if (!TOPIC.matcher(topic).matches()) {
            throw refusal(400, "topic is wrong: expected letters, digits, dots, underscores and hyphens, 249 at most");
        }
        return topic;
    }

    /** What PostgreSQL can store. */
    private static boolean isText(String text, int max) {
        return text.length() <= max
                && text.codePoints()
                        .noneMatch(point ->
                                point == 0 || (point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE));
    }
}
