package io.stagedjobs.sample;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import io.javalin.http.HttpStatus;
import io.javalin.http.MethodNotAllowedResponse;
import io.javalin.router.EndpointNotFound;
import io.stagedjobs.AttemptsExhaustedException;
import io.stagedjobs.CommitOutcomeUnknownException;
import io.stagedjobs.idempotency.KeyInProgressException;
import io.stagedjobs.idempotency.KeyReusedException;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The answers to a client after failures. The body is {@code {"error": "…"}} and says what happened, what was kept and
 * what to do. 4xx: the request is wrong, or comes at the wrong time. 503, and 409 while the first request with the same
 * key is in progress, have Retry-After: the same request may work later, and repeating it is harmless. 500: any other
 * failure; only the log says more.
 */
final class ErrorAnswers {

    private static final int BUSY_RETRY_SECONDS = 1;
    private static final int AWAY_RETRY_SECONDS = 5;

    private static final Logger LOG = LoggerFactory.getLogger(ErrorAnswers.class);

    private ErrorAnswers() {}

    static void addTo(RoutesConfig routes) {
        routes.exception(
                HttpResponseException.class,
                (e, ctx) -> answer(ctx, HttpStatus.forStatus(e.getStatus()), e.getMessage()));
        routes.exception(EndpointNotFound.class, (e, ctx) -> notHere(ctx, HttpStatus.NOT_FOUND));
        routes.exception(MethodNotAllowedResponse.class, (e, ctx) -> notHere(ctx, HttpStatus.METHOD_NOT_ALLOWED));
        routes.exception(
                KeyReusedException.class,
                (e, ctx) -> answer(
                        ctx,
                        HttpStatus.UNPROCESSABLE_CONTENT,
                        "This Idempotency-Key came before with another request. Nothing was done for this one. Send"
                                + " it with a key of its own."));
        routes.exception(
                KeyInProgressException.class,
                (e, ctx) -> answerLater(
                        ctx,
                        HttpStatus.CONFLICT,
                        BUSY_RETRY_SECONDS,
                        "A request with this Idempotency-Key is being worked on. Nothing was done for this one."
                                + " Send it again to get the first one's answer."));
        routes.exception(AttemptsExhaustedException.class, (e, ctx) -> {
            LOG.warn("{} {} answers 503.", ctx.method(), ctx.path(), e);
            answerLater(
                    ctx,
                    HttpStatus.SERVICE_UNAVAILABLE,
                    BUSY_RETRY_SECONDS,
                    "Could not store this: other requests were in the way " + e.attempts()
                            + " times. Nothing was kept. Send the same request again.");
        });
        routes.exception(CommitOutcomeUnknownException.class, (e, ctx) -> {
            LOG.warn("{} {} answers 503.", ctx.method(), ctx.path(), e);
            answerLater(
                    ctx,
                    HttpStatus.SERVICE_UNAVAILABLE,
                    AWAY_RETRY_SECONDS,
                    "Lost the database while storing this: it is stored with its job, or nothing is. Send the same"
                            + " request again, that is harmless.");
        });
        routes.exception(Exception.class, ErrorAnswers::failed);
    }

    private static void notHere(Context ctx, HttpStatus status) {
        answer(
                ctx,
                status,
                "There is no " + ctx.method() + " " + ctx.path()
                        + " here. Nothing was kept. GET / lists what there is.");
    }

    private static void failed(Exception e, Context ctx) {
        if (isAway(e)) {
            LOG.warn("{} {} answers 503: the database does not answer.", ctx.method(), ctx.path(), e);
            answerLater(
                    ctx,
                    HttpStatus.SERVICE_UNAVAILABLE,
                    AWAY_RETRY_SECONDS,
                    "The database does not answer. Nothing was kept. Send the same request again.");
        } else {
            LOG.error("{} {} answers 500.", ctx.method(), ctx.path(), e);
            answer(
                    ctx,
                    HttpStatus.INTERNAL_SERVER_ERROR,
                    "Something went wrong in the service. Nothing was kept. Its log says more.");
        }
    }

    /** No free connection in time, a lost one (class 08), or a server that stops, starts or is full. */
    private static boolean isAway(Throwable failure) {
        for (@Nullable Throwable t = failure; t != null; t = t.getCause()) {
            if (t instanceof SQLTransientConnectionException) {
                return true;
            }
            if (t instanceof SQLException sql && sql.getSQLState() != null) {
                String state = sql.getSQLState();
                return state.startsWith("08") || state.startsWith("57P0") || state.equals("53300");
            }
        }
        return false;
    }

    private static void answerLater(Context ctx, HttpStatus status, int seconds, String error) {
        ctx.header("Retry-After", Integer.toString(seconds));
        answer(ctx, status, error);
    }

    private static void answer(Context ctx, HttpStatus status, @Nullable String error) {
        ctx.status(status).json(Map.of("error", String.valueOf(error)));
    }
}
