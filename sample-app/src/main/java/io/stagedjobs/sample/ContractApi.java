package io.stagedjobs.sample;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.stagedjobs.sample.Contract.Item;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Contracts over HTTP.
 *
 * <ul>
 *   <li>{@code POST /contracts/{id}/aggregate}: 200 with the contract as it is stored now. 400 if its header or items are
 *       missing or not valid, 504 if the service that has it does not answer in time, 500 if that fails otherwise: nothing was
 *       stored then. Repeating it is harmless and cheap.
 *   <li>{@code POST /contracts/aggregations} with {@code {"ids": […]}}: 202; each of them is aggregated in the background.
 *   <li>{@code GET /contracts/{id}}: 200 with the stored contract, or 404.
 * </ul>
 */
final class ContractApi implements Api {

    private static final int IDS_MAX = 1_000;

    private static final Checks ONE = Checks.ofRequest("POST /contracts/ID/aggregate or GET /contracts/ID");
    private static final Checks MANY =
            Checks.ofRequest("POST /contracts/aggregations with {\"ids\": [\"ID\", …]}, 1 to " + IDS_MAX + " of them");

    private final Contracts contracts;
    private final Aggregations aggregations;

    private record Ids(List<String> ids) {}

    /** A contract as the service answers it in JSON. */
    private record Answer(
            String id, @Nullable String customer, @Nullable String currency, long totalCents, List<Item> items) {

        static Answer of(Contract contract) {
            return new Answer(
                    contract.id(),
                    contract.header().value().customer(),
                    contract.header().value().currency(),
                    contract.totalCents(),
                    contract.items().value());
        }
    }

    ContractApi(Contracts contracts, Aggregations aggregations) {
        this.contracts = contracts;
        this.aggregations = aggregations;
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.get("/contracts/{id}", this::show);
        routes.post("/contracts/{id}/aggregate", Trace.continued(this::aggregate));
        routes.post("/contracts/aggregations", Trace.continued(this::aggregateInBackground));
    }

    private void show(Context ctx) {
        String id = ONE.id(ctx.pathParam("id"));
        ctx.json(Answer.of(contracts
                .find(id)
                .orElseThrow(() -> new RequestFailedException(
                        HttpStatus.NOT_FOUND,
                        "Contract " + id + " is not stored. Aggregate it with POST /contracts/" + id
                                + "/aggregate first."))));
    }

    private void aggregate(Context ctx) {
        ctx.json(Answer.of(contracts.aggregate(ONE.id(ctx.pathParam("id")))));
    }

    private void aggregateInBackground(Context ctx) {
        @Nullable List<String> given = MANY.body(ctx, Ids.class).ids();
        if (given == null || given.isEmpty() || given.size() > IDS_MAX) {
            throw MANY.failed("expected 1 to " + IDS_MAX + " ids");
        }
        Set<String> ids = new LinkedHashSet<>(given);
        ids.forEach(MANY::id);
        aggregations.request(ids);
        ctx.status(HttpStatus.ACCEPTED).json(Map.of("accepted", ids.size()));
    }
}
