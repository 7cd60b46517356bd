package io.stagedjobs.daemon.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import io.stagedjobs.StagedJobsException;
import io.stagedjobs.enqueuer.ExternalFailureException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one shape of answers: JSON, errors as {@code {"error": …}}, and the same headers on all of them. */
final class Answers {

    private static final Logger log = LoggerFactory.getLogger(AdminServer.class);
    private static final JsonMapper JSON = new JsonMapper();
    private static final String JSON_TYPE = "application/json";

    /** The page needs its own scripts, styles and answers, and nobody may frame it. */
    static final Map<String, String> HEADERS = Map.of(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
                    + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options",
            "nosniff",
            "Referrer-Policy",
            "no-referrer",
            "Cross-Origin-Resource-Policy",
            "same-origin",
            "Cross-Origin-Opener-Policy",
            "same-origin",
            "Cache-Control",
            "no-store");

    private Answers() {}

    /** An answer other than 200 that the caller has caused, or can do something about. */
    static HttpResponseException refusal(int status, String words) {
        return new HttpResponseException(status, words);
    }

    static void json(Context context, Object value) {
        context.contentType(JSON_TYPE).result(bytes(value));
    }

    static byte[] bytes(Object value) {
        try {
            return JSON.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write " + value.getClass() + " as JSON", e);
        }
    }

    static void error(Context context, int status, String words) {
        context.status(status);
        json(context, Map.of("error", words));
    }

    /** Answers when the work has ended, and keeps no thread from answering others meanwhile. */
    static void later(Context context, CompletableFuture<?> work) {
        context.future(() -> work.handle((value, failure) -> {
            if (failure != null) {
                failed(context, failure);
            } else if (value instanceof byte[] written) {
                context.contentType(JSON_TYPE).result(written);
            } else {
                json(context, value);
            }
            return null;
        }));
    }

    static void failed(Context context, Throwable failure) {
        Throwable e = cause(failure);
        if (e instanceof HttpResponseException refusal) {
            error(context, refusal.getStatus(), String.valueOf(refusal.getMessage()));
        } else if (e instanceof ExternalFailureException || e instanceof StagedJobsException) {
            error(context, 503, String.valueOf(e.getMessage()));
        } else if (e instanceof RejectedExecutionException) {
            error(context, 503, "too much is asked at once, or the enqueuer ends just now; ask again in a second");
        } else {
            log.error("could not answer {} {}", context.method(), context.path(), e);
            error(context, 500, "unexpected failure; see the enqueuer's log");
        }
    }

    static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }

    /** What Jetty answers by itself, before a request has come to us. */
    static final class OfJetty extends ErrorHandler {

        @Override
        public boolean errorPageForMethod(String method) {
            return true;
        }

        @Override
        protected void generateResponse(
                Request request,
                Response response,
                int status,
                @Nullable String message,
                @Nullable Throwable cause,
                Callback callback) {
            response.setStatus(status);
            HEADERS.forEach(response.getHeaders()::put);
            response.getHeaders().put("Content-Type", JSON_TYPE);
            response.write(true, ByteBuffer.wrap(body(status)), callback);
        }

        private static byte[] body(int status) {
            return ("{\"error\":\"this is no request that can be answered (HTTP " + status + ")\"}").getBytes(UTF_8);
        }
    }
}
