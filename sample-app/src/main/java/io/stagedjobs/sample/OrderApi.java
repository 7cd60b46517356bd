package io.stagedjobs.sample;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.stagedjobs.idempotency.IdempotencyKeys;
import io.stagedjobs.idempotency.Request;
import io.stagedjobs.idempotency.Response;
import org.jspecify.annotations.Nullable;

/**
 * Orders over HTTP.
 *
 * <ul>
 *   <li>{@code PUT /orders/{id}} with {@code {"amountCents": …}}: 201 with the open order, created or changed; 409 if it is
 *       completed with another amount.
 *   <li>{@code POST /orders/{id}/complete} with {@code {"email": "…"}}: 200 with the completed order and its buyer, who is
 *       created if there is none with this address; 404 if there is no such order, 409 if somebody else has bought it.
 *   <li>{@code GET /orders/{id}}: 200 with the order, or 404.
 * </ul>
 *
 * <p>With the header {@code Idempotency-Key}, completing an order again gets the first answer, byte for byte. The same key with
 * another request is a 422, and a 409 while the first one is at work.
 */
final class OrderApi implements Api {

    static final String KEY_HEADER = "Idempotency-Key";

    /** Whose keys they are. The sample's clients do not say who they are; a real service would name the account here. */
    static final String KEY_SCOPE = "complete-order";

    private static final Checks PLACING = Checks.ofRequest("PUT /orders/ID with {\"amountCents\": 1250}");
    private static final Checks COMPLETING = Checks.ofRequest(
            "POST /orders/ID/complete with {\"email\": \"ADDRESS\"} and, if it may come twice, an Idempotency-Key of 1 to 255"
                    + " characters");

    private final Orders orders;
    private final IdempotencyKeys keys;

    private record Placing(long amountCents) {}

    private record Completing(String email) {}

    OrderApi(Orders orders, IdempotencyKeys keys) {
        this.orders = orders;
        this.keys = keys;
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.put("/orders/{id}", this::place);
        routes.get("/orders/{id}", this::show);
        routes.post("/orders/{id}/complete", Trace.continued(this::complete));
    }

    private void place(Context ctx) {
        String id = PLACING.id(ctx.pathParam("id"));
        long amountCents = PLACING.body(ctx, Placing.class).amountCents();
        PLACING.require(amountCents >= 0, "the amount is negative");
        ctx.status(HttpStatus.CREATED).json(orders.place(id, amountCents));
    }

    private void show(Context ctx) {
        String id = PLACING.id(ctx.pathParam("id"));
        ctx.json(orders.find(id).orElseThrow(() -> Orders.unknown(id)));
    }

    private void complete(Context ctx) {
        String id = COMPLETING.id(ctx.pathParam("id"));
        String email = COMPLETING.email(COMPLETING.body(ctx, Completing.class).email());
        @Nullable String key = ctx.header(KEY_HEADER);
        Response response = key == null
                ? completed(id, email)
                // The order's unit of work joins that of the key: one transaction has both, or neither.
                : keys.answer(request(ctx, key), work -> completed(id, email));
        ctx.status(response.status()).contentType("application/json").result(response.body());
    }

    private Response completed(String id, String email) {
        return Response.of(HttpStatus.OK.getCode(), Json.REQUESTS.write(orders.complete(id, email)));
    }

    private static Request request(Context ctx, String key) {
        try {
            return Request.of(KEY_SCOPE, key, ctx.method().name(), ctx.path(), ctx.bodyAsBytes());
        } catch (IllegalArgumentException wrongKey) {
            throw COMPLETING.failed(String.valueOf(wrongKey.getMessage()));
        }
    }
}
