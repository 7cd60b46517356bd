package io.stagedjobs.daemon.admin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stagedjobs.daemon.admin.Access.Caller;
import io.stagedjobs.daemon.admin.Outbox.Selection;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One line for each thing that somebody did or tried to do over HTTP, in a log of its own. It has no payload, no key
 * and no token, and nothing in it ends a line.
 */
final class Audit {

    private static final Logger log = LoggerFactory.getLogger("io.stagedjobs.audit");

    /** Text from outside as ASCII in quotes. */
    private static final JsonMapper QUOTED =
            JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    private static final int IDS_SHOWN = 20;

    private Audit() {}

    static void did(String path, Caller caller, String from, String what, boolean dryRun, String result) {
        log.info(
                "{} by={} from={} {} dryRun={} result={}",
                path,
                quoted(caller.words),
                from,
                what,
                dryRun,
                quoted(result));
    }

    static void refused(String path, String from, int status) {
        log.info("{} from={} refused={}", quoted(path), from, status);
    }

    static String words(Selection selection) {
        List<Long> ids = selection.ids();
        List<String> words = new ArrayList<>();
        if (!ids.isEmpty()) {
            words.add(ids.size() + " ids: " + ids.subList(0, Math.min(IDS_SHOWN, ids.size()))
                    + (ids.size() > IDS_SHOWN ? " and more" : ""));
        }
        Map<String, @Nullable String> filter = new LinkedHashMap<>();
        filter.put("state", selection.state());
        filter.put("topic", selection.topic());
        filter.put("key", selection.key() == null ? null : "(given)");
        filter.put("reason", selection.reason());
        filter.put("name", selection.name());
        filter.forEach((name, value) -> {
            if (value != null) {
                words.add(name + "=" + quoted(value));
            }
        });
        return "jobs=[" + (words.isEmpty() ? "all" : String.join(" ", words)) + "]";
    }

    static String quoted(String text) {
        try {
            return QUOTED.writeValueAsString(text);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot quote a text", e);
        }
    }
}
