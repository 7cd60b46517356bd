package io.stagedjobs.sample;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import java.util.List;
import java.util.Map;

/**
 * Users over HTTP, JSON throughout.
 *
 * <ul>
 *   <li>{@code PUT /users?email=…}: 201 with the user, whether it was created now or before.
 *   <li>{@code GET /users?email=…}: 200 with the user, or 404.
 *   <li>{@code GET /health}: 200, or 503 if the database does not answer.
 * </ul>
 */
final class UserApi implements Api {

    /** Asks for a failure: the only value known is {@value #AFTER_STAGING}. */
    static final String FAIL_HEADER = "Sample-Fail";

    static final String AFTER_STAGING = "after-staging";

    private static final Checks CHECKS = Checks.ofRequest("PUT or GET /users?email=ADDRESS");

    private final Users users;
    private final boolean failuresAllowed;

    /** @param failuresAllowed whether a request may ask for a failure; else {@value #FAIL_HEADER} is ignored */
    UserApi(Users users, boolean failuresAllowed) {
        this.users = users;
        this.failuresAllowed = failuresAllowed;
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.put("/users", Trace.continued(this::signUp));
        routes.get("/users", this::show);
        routes.get("/health", this::health);
    }

    private void signUp(Context ctx) {
        String email = email(ctx);
        if (failuresAllowed && AFTER_STAGING.equals(ctx.header(FAIL_HEADER))) {
            users.signUpAndFail(email);
        }
        ctx.status(HttpStatus.CREATED).json(users.signUp(email));
    }

    private void show(Context ctx) {
        ctx.json(users.find(email(ctx))
                .orElseThrow(() ->
                        new RequestFailedException(HttpStatus.NOT_FOUND, "There is no user with this email address.")));
    }

    private void health(Context ctx) {
        users.ping();
        ctx.json(Map.of("status", "up"));
    }

    private static String email(Context ctx) {
        List<String> values = ctx.queryParams("email");
        CHECKS.require(values.size() == 1, "expected the parameter email once, got it " + values.size() + " times");
        return CHECKS.email(values.get(0));
    }
}
