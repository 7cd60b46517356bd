package io.stagedjobs.sample;

import static io.javalin.http.HandlerType.GET;
import static io.javalin.http.HandlerType.POST;
import static io.javalin.http.HandlerType.PUT;

import io.javalin.Javalin;
import io.javalin.http.BadRequestResponse;
import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.javalin.http.HttpStatus;
import io.javalin.http.NotFoundResponse;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.idempotency.Request;
import io.stagedjobs.idempotency.Response;
import io.stagedjobs.sample.Contract.Item;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The service over HTTP. {@link #routes} lists its endpoints, and {@code GET /} shows that list; {@link ErrorAnswers}
 * answers errors.
 *
 * <p>With the header {@code Idempotency-Key}, completing an order again gets the first answer, byte for byte. The same
 * key with another request gets a 422, and a 409 while the first request is in progress.
 */
final class Api {

    /** Asks for a failure: the only value known is {@value #AFTER_STAGING}. */
    static final String FAIL_HEADER = "Sample-Fail";

    static final String AFTER_STAGING = "after-staging";

    private static final String KEY_HEADER = "Idempotency-Key";

    /** The owner of the keys. The sample does not know its clients; a real service would name the account here. */
    private static final String KEY_SCOPE = "complete-order";

    private static final int IDS_MAX = 1_000;
    private static final String METRICS_FORMAT = "text/plain; version=0.0.4; charset=utf-8";

    private final Services services;
    private final PrometheusMeterRegistry registry;
    private final boolean failuresAllowed;

    private record Placing(long amountCents) {}

    private record Completing(String email) {}

    private record Ids(List<String> ids) {}

    /** A contract as the service answers it in JSON. */
    private record Aggregated(
            String id, @Nullable String customer, @Nullable String currency, long totalCents, List<Item> items) {

        static Aggregated of(Contract contract) {
            return new Aggregated(
                    contract.id(),
                    contract.header().value().customer(),
                    contract.header().value().currency(),
                    contract.totalCents(),
                    contract.items().value());
        }
    }

    /** @param failuresAllowed whether a request may ask for a failure; else {@value #FAIL_HEADER} is ignored */
    Api(Services services, PrometheusMeterRegistry registry, boolean failuresAllowed) {
        this.services = services;
        this.registry = registry;
        this.failuresAllowed = failuresAllowed;
    }

    // spotless:off
    private List<Route> routes() {
        return List.of(
                new Route(PUT, "/users", "PUT /users?email=ADDRESS",
                        "creates a user, if there is none with this address", this::signUp),
                new Route(GET, "/users", "GET /users?email=ADDRESS",
                        "shows the user with this address", this::showUser),
                new Route(PUT, "/orders/{id}", "PUT /orders/ID with {\"amountCents\": 1250}",
                        "places an order, or changes an open one", this::place),
                new Route(GET, "/orders/{id}", "GET /orders/ID",
                        "shows an order", this::showOrder),
                new Route(POST, "/orders/{id}/complete",
                        "POST /orders/ID/complete with {\"email\": \"ADDRESS\"} and, if it"
                        + " may come twice, an Idempotency-Key of 1 to 255 characters",
                        "completes an order for this user, who is created if there is none", this::complete),
                new Route(POST, "/contracts/{id}/aggregate", "POST /contracts/ID/aggregate",
                        "fetches a contract from another service and stores it", this::aggregate),
                new Route(POST, "/contracts/aggregations",
                        "POST /contracts/aggregations with {\"ids\": [\"ID\", …]}, 1 to "
                        + IDS_MAX + " of them",
                        "does that for each of them in the background", this::aggregateInBackground),
                new Route(GET, "/contracts/{id}", "GET /contracts/ID",
                        "shows a contract that is stored", this::showContract),
                new Route(GET, "/health", "GET /health",
                        "200 if the database answers, else 503", this::health),
                new Route(GET, "/metrics", "GET /metrics",
                        "meters for Prometheus", ctx -> ctx.contentType(METRICS_FORMAT).result(registry.scrape())));
    }
    // spotless:on

    /**
     * A web server that is not started yet.
     *
     * @param more further endpoints
     */
    Javalin server(List<Route> more) {
        List<Route> all = Stream.concat(routes().stream(), more.stream()).toList();
        String page = all.stream()
                .map(route -> "  " + route.usage() + "\n      " + route.effect() + "\n")
                .collect(Collectors.joining("", "The sample service of Staged Jobs. It answers:\n\n", ""));
        return Javalin.create(config -> {
            config.startup.showJavalinBanner = false;
            config.startup.showOldJavalinVersionWarning = false;
            config.http.prefer405over404 = true;
            config.routes.get("/", ctx -> ctx.result(page));
            all.forEach(route -> config.routes.addHttpHandler(route.method(), route.path(), answering(route)));
            ErrorAnswers.addTo(config.routes);
        });
    }

    /** Continues the request's trace, and explains a wrong request. */
    private static Handler answering(Route route) {
        Handler traced = Trace.continued(route.handler());
        return ctx -> {
            try {
                traced.handle(ctx);
            } catch (InvalidInputException e) {
                throw new BadRequestResponse("Cannot take this request: " + e.getMessage() + ". Nothing was kept. Send "
                        + route.usage() + ".");
            }
        };
    }

    private void signUp(Context ctx) {
        String email = email(ctx);
        if (failuresAllowed && AFTER_STAGING.equals(ctx.header(FAIL_HEADER))) {
            services.users().signUpAndFail(email);
        }
        ctx.status(HttpStatus.CREATED).json(services.users().signUp(email));
    }

    private void showUser(Context ctx) {
        ctx.json(services.users()
                .find(email(ctx))
                .orElseThrow(() -> new NotFoundResponse("There is no user with this email address.")));
    }

    private void place(Context ctx) {
        String id = Checks.id(ctx.pathParam("id"));
        long amountCents = body(ctx, Placing.class).amountCents();
        Checks.require(amountCents >= 0, "the amount is negative");
        ctx.status(HttpStatus.CREATED).json(services.orders().place(id, amountCents));
    }

    private void showOrder(Context ctx) {
        String id = Checks.id(ctx.pathParam("id"));
        ctx.json(services.orders().find(id).orElseThrow(() -> Orders.unknown(id)));
    }

    private void complete(Context ctx) {
        String id = Checks.id(ctx.pathParam("id"));
        String email = Checks.email(body(ctx, Completing.class).email());
        @Nullable String key = ctx.header(KEY_HEADER);
        Response response = key == null
                ? completed(id, email)
                // The order's unit of work joins that of the key: one transaction stores both, or neither.
                : services.keys().answer(request(ctx, key), work -> completed(id, email));
        ctx.status(response.status()).contentType("application/json").result(response.body());
    }

    private Response completed(String id, String email) {
        return Response.of(HttpStatus.OK.getCode(), Json.write(services.orders().complete(id, email)));
    }

    private static Request request(Context ctx, String key) {
        try {
            return Request.of(KEY_SCOPE, key, ctx.method().name(), ctx.path(), ctx.bodyAsBytes());
        } catch (IllegalArgumentException wrongKey) {
            throw new InvalidInputException(String.valueOf(wrongKey.getMessage()));
        }
    }

    private void aggregate(Context ctx) {
        ctx.json(Aggregated.of(services.contracts().aggregate(Checks.id(ctx.pathParam("id")))));
    }

    private void aggregateInBackground(Context ctx) {
        @Nullable List<String> given = body(ctx, Ids.class).ids();
        if (given == null || given.isEmpty() || given.size() > IDS_MAX) {
            throw new InvalidInputException("expected 1 to " + IDS_MAX + " ids");
        }
        Set<String> ids = new LinkedHashSet<>(given);
        ids.forEach(Checks::id);
        services.aggregations().request(ids);
        ctx.status(HttpStatus.ACCEPTED).json(Map.of("accepted", ids.size()));
    }

    private void showContract(Context ctx) {
        String id = Checks.id(ctx.pathParam("id"));
        ctx.json(Aggregated.of(services.contracts()
                .find(id)
                .orElseThrow(() -> new NotFoundResponse("Contract " + id
                        + " is not stored. Aggregate it with POST /contracts/" + id + "/aggregate first."))));
    }

    private void health(Context ctx) {
        services.users().ping();
        ctx.json(Map.of("status", "up"));
    }

    private static String email(Context ctx) {
        List<String> values = ctx.queryParams("email");
        Checks.require(values.size() == 1, "expected the parameter email once, got it " + values.size() + " times");
        return Checks.email(values.get(0));
    }

    /** The request's body, of exactly this shape. */
    private static <T> T body(Context ctx, Class<T> type) {
        try {
            @Nullable T body = Json.REQUESTS.readValue(ctx.bodyAsBytes(), type);
            if (body != null) {
                return body;
            }
        } catch (IOException otherShape) {
            // reported below, like the JSON value null
        }
        throw new InvalidInputException("the body is not the JSON that was expected");
    }
}
