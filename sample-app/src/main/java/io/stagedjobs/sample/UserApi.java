package io.stagedjobs.sample;

import io.javalin.Javalin;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.stagedjobs.AttemptsExhaustedException;
import io.stagedjobs.CommitOutcomeUnknownException;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The service's HTTP side, JSON throughout.
 *
 * <ul>
 *   <li>{@code PUT /users?email=…}: 201 with the user, whether it was created now or before.
 *   <li>{@code GET /users?email=…}: 200 with the user, or 404.
 *   <li>{@code GET /health}: 200, or 503 if the database does not answer.
 * </ul>
 *
 * <p>An error's body is {@code {"error": "…"}} and says what happened, what was kept and what to do. 400: the request is
 * wrong. 503 with Retry-After: the same request may work later, and repeating it is harmless. 500: neither, and only the
 * log says more.
 */
final class UserApi {

    /** Asks for a failure: the only value known is {@value #AFTER_STAGING}. */
    static final String FAIL_HEADER = "Sample-Fail";

    static final String AFTER_STAGING = "after-staging";

    /** 64 characters, an @ and 255 more: what SMTP lets an address have. */
    private static final int EMAIL_LENGTH_MAX = 320;

    private static final String BUSY_RETRY_SECONDS = "1";
    private static final String AWAY_RETRY_SECONDS = "5";

    private static final Logger LOG = LoggerFactory.getLogger(UserApi.class);

    private final Users users;
    private final boolean failuresAllowed;

    /** @param failuresAllowed whether a request may ask for a failure; else {@value #FAIL_HEADER} is ignored */
    UserApi(Users users, boolean failuresAllowed) {
        this.users = users;
        this.failuresAllowed = failuresAllowed;
    }

    /** The web server, not started yet. */
    Javalin server() {
        return Javalin.create(config -> {
            config.startup.showJavalinBanner = false;
            config.startup.showOldJavalinVersionWarning = false;
            config.http.prefer405over404 = true;
            addRoutes(config.routes);
        });
    }

    private void addRoutes(RoutesConfig routes) {
        routes.put("/users", this::signUp);
        routes.get("/users", this::show);
        routes.get("/health", this::health);
        routes.exception(
                InvalidRequestException.class, (e, ctx) -> answer(ctx, HttpStatus.BAD_REQUEST, e.getMessage()));
        routes.exception(FailedOnPurposeException.class, (e, ctx) -> failedOnPurpose(ctx));
        routes.exception(AttemptsExhaustedException.class, this::busy);
        routes.exception(CommitOutcomeUnknownException.class, this::outcomeUnknown);
        routes.exception(Exception.class, this::failed);
    }

    private void signUp(Context ctx) {
        String email = email(ctx);
        if (failuresAllowed && AFTER_STAGING.equals(ctx.header(FAIL_HEADER))) {
            users.signUpAndFail(email);
        }
        ctx.status(HttpStatus.CREATED).json(users.signUp(email));
    }

    private void show(Context ctx) {
        users.find(email(ctx))
                .ifPresentOrElse(
                        ctx::json,
                        () -> answer(ctx, HttpStatus.NOT_FOUND, "There is no user with this email address."));
    }

    private void health(Context ctx) {
        users.ping();
        ctx.json(Map.of("status", "up"));
    }

    private static String email(Context ctx) {
        List<String> values = ctx.queryParams("email");
        if (values.size() != 1) {
            throw new InvalidRequestException("expected the parameter email once, got it " + values.size() + " times");
        }
        String email = values.get(0);
        if (email.isBlank()) {
            throw new InvalidRequestException("expected an email address, got nothing");
        }
        if (email.chars().anyMatch(Character::isISOControl)) {
            throw new InvalidRequestException("the email address contains NUL or another control character");
        }
        // What a decoder puts where bytes are not UTF-8: two different addresses could become one.
        if (email.indexOf('\uFFFD') >= 0) {
            throw new InvalidRequestException("the email address is not valid UTF-8");
        }
        int length = email.codePointCount(0, email.length());
        if (length > EMAIL_LENGTH_MAX) {
            throw new InvalidRequestException(
                    "the email address has " + length + " characters, at most " + EMAIL_LENGTH_MAX + " are allowed");
        }
        if (email.indexOf('@') < 0) {
            throw new InvalidRequestException("the email address has no @");
        }
        return email;
    }

    private static void failedOnPurpose(Context ctx) {
        answer(
                ctx,
                HttpStatus.INTERNAL_SERVER_ERROR,
                "Failed after staging, as " + FAIL_HEADER + " asked. Nothing was kept: no user, no action, no job.");
    }

    private void busy(AttemptsExhaustedException e, Context ctx) {
        LOG.warn("{} {} answers 503.", ctx.method(), ctx.path(), e);
        retryLater(
                ctx,
                BUSY_RETRY_SECONDS,
                "Could not store the user: other requests were in the way " + e.attempts()
                        + " times. Nothing was kept. Send the same request again.");
    }

    private void outcomeUnknown(CommitOutcomeUnknownException e, Context ctx) {
        LOG.warn("{} {} answers 503.", ctx.method(), ctx.path(), e);
        retryLater(
                ctx,
                AWAY_RETRY_SECONDS,
                "Lost the database while storing the user: it is stored with its job, or nothing is. Send the same"
                        + " request again, that is harmless.");
    }

    private void failed(Exception e, Context ctx) {
        if (isAway(e)) {
            LOG.warn("{} {} answers 503: the database does not answer.", ctx.method(), ctx.path(), e);
            retryLater(
                    ctx,
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

    /** No connection to be had in time, a lost one (class 08), or a server that stops, starts or is full. */
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

    private static void retryLater(Context ctx, String seconds, String error) {
        ctx.header("Retry-After", seconds);
        answer(ctx, HttpStatus.SERVICE_UNAVAILABLE, error);
    }

    private static void answer(Context ctx, HttpStatus status, @Nullable String error) {
        ctx.status(status).json(Map.of("error", String.valueOf(error)));
    }

    /** The request is wrong; the message tells the client what was expected. */
    private static final class InvalidRequestException extends RuntimeException {
        InvalidRequestException(String expectation) {
            super("Cannot take this request: " + expectation
                    + ". Nothing was kept. Send PUT or GET /users?email=ADDRESS.");
        }
    }
}
