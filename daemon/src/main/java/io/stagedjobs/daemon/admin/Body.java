package io.stagedjobs.daemon.admin;

import static io.stagedjobs.daemon.admin.Answers.refusal;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import io.stagedjobs.daemon.admin.Outbox.Selection;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Semaphore;
import org.eclipse.jetty.ee10.servlet.ServletContextRequest;
import org.eclipse.jetty.io.Connection;
import org.jspecify.annotations.Nullable;

/** The JSON object that a POST brings; whatever is wrong with it is refused with what is accepted. */
final class Body {

    static final int BYTES_MAX = 64 * 1024;

    /** Reading a body keeps a thread: slow clients must not take all of them. */
    private static final int READ_AT_ONCE = 8;

    private static final int IDS_MAX = 5_000;
    private static final String JSON_TYPE = "application/json";
    private static final Set<String> FILTERS = Set.of("state", "topic", "key", "reason", "name");

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final JsonNode object;

    private Body(JsonNode object) {
        this.object = object;
    }

    /** Reads bodies, a few at once. Safe for use by many threads. */
    static final class Reader {
        private final Semaphore places = new Semaphore(READ_AT_ONCE);
        private final Connections connections;

        Reader(Connections connections) {
            this.connections = connections;
        }

        /** @throws HttpResponseException if it is no object, or has other names than {@code accepted} */
        Body read(Context context, Set<String> accepted) {
            requireJson(context);
            int length = length(context);
            if (!places.tryAcquire()) {
                throw refusal(429, "too many bodies arrive at once; send it again in a second");
            }
            Connection connection = ServletContextRequest.getServletContextRequest(context.req())
                    .getConnectionMetaData()
                    .getConnection();
            try {
                connections.bodyExpected(connection);
                return parsed(context.bodyInputStream().readNBytes(length), accepted);
            } catch (IOException e) {
                throw refusal(400, "the body ended before it was complete");
            } finally {
                connections.bodyRead(connection);
                places.release();
            }
        }
    }

    private static void requireJson(Context context) {
        String type =
                String.valueOf(context.contentType()).replaceFirst(";.*", "").trim();
        if (!type.toLowerCase(Locale.ROOT).equals(JSON_TYPE)) {
            throw refusal(415, "send the body as Content-Type: " + JSON_TYPE);
        }
    }

    private static int length(Context context) {
        long length = context.req().getContentLengthLong();
        if (length < 0) {
            throw refusal(411, "send a Content-Length");
        }
        if (length > BYTES_MAX) {
            throw refusal(413, "the body is too large: it may have " + BYTES_MAX + " bytes");
        }
        return (int) length;
    }

    private static Body parsed(byte[] bytes, Set<String> accepted) {
        JsonNode node;
        try {
            node = JSON.readTree(bytes);
        } catch (JsonProcessingException e) {
            throw refusal(400, "the body is no JSON");
        } catch (IOException e) {
            throw refusal(400, "the body is no JSON in UTF-8");
        }
        requireNames(node, "the body", accepted);
        return new Body(node);
    }

    private static void requireNames(JsonNode node, String what, Set<String> accepted) {
        if (!node.isObject()) {
            throw refusal(400, what + " has to be a JSON object with some of " + new TreeSet<>(accepted));
        }
        node.fieldNames().forEachRemaining(name -> {
            if (!accepted.contains(name)) {
                throw refusal(400, what + " has an unknown name; accepted are " + new TreeSet<>(accepted));
            }
        });
    }

    boolean flag(String name) {
        JsonNode value = value(name);
        if (!value.isMissingNode() && !value.isBoolean()) {
            throw refusal(400, name + " is wrong: expected true or false");
        }
        return value.booleanValue();
    }

    OptionalInt count(String name) {
        JsonNode value = value(name);
        if (value.isMissingNode()) {
            return OptionalInt.empty();
        }
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 0) {
            throw refusal(400, name + " is wrong: expected a whole number from 0 to " + Integer.MAX_VALUE);
        }
        return OptionalInt.of(value.intValue());
    }

    /** The jobs that are meant: by ids, by a filter, or all. */
    Selection selection(Set<String> reasons) {
        JsonNode ids = value("ids");
        JsonNode filter = value("filter");
        boolean all = flag("all");
        if ((ids.isMissingNode() ? 0 : 1) + (filter.isMissingNode() ? 0 : 1) + (all ? 1 : 0) != 1) {
            throw refusal(400, "which jobs? Give one of ids, filter and \"all\": true");
        }
        if (all) {
            return Selection.of(List.of());
        }
        return ids.isMissingNode() ? Parameters.checked(filter(filter), reasons) : Selection.of(ids(ids));
    }

    private static List<Long> ids(JsonNode given) {
        List<Long> ids = new ArrayList<>();
        given.forEach(id -> ids.add(id.isIntegralNumber() && id.canConvertToLong() ? id.longValue() : -1));
        if (!given.isArray()
                || ids.isEmpty()
                || ids.size() > IDS_MAX
                || ids.stream().anyMatch(id -> id < 0)) {
            throw refusal(400, "ids is wrong: expected 1 to " + IDS_MAX + " whole numbers, as /api/v1/jobs shows them");
        }
        return ids;
    }

    private static Selection filter(JsonNode filter) {
        requireNames(filter, "filter", FILTERS);
        if (filter.isEmpty()) {
            throw refusal(400, "filter is empty: expected some of " + new TreeSet<>(FILTERS));
        }
        return new Selection(
                List.of(),
                text(filter, "state"),
                text(filter, "topic"),
                text(filter, "key"),
                text(filter, "reason"),
                text(filter, "name"));
    }

    /** The topic that is meant, {@code *} for everything. */
    String topicOrEverything() {
        String topic = text(object, "topic");
        if (flag("everything") == (topic != null)) {
            throw refusal(400, "what? Give either topic or \"everything\": true");
        }
        return topic == null ? "*" : Parameters.checkedTopic(topic);
    }

    private static @Nullable String text(JsonNode object, String name) {
        JsonNode value = object.get(name);
        if (value != null && !value.isTextual()) {
            throw refusal(400, name + " is wrong: expected a text");
        }
        return value == null ? null : value.textValue();
    }

    private JsonNode value(String name) {
        JsonNode value = object.get(name);
        return value == null ? MissingNode.getInstance() : value;
    }
}
