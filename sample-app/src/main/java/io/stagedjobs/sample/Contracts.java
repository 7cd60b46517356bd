package io.stagedjobs.sample;

import io.javalin.http.HttpStatus;
import io.stagedjobs.StagedJob;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import io.stagedjobs.sample.Contract.Header;
import io.stagedjobs.sample.Contract.Item;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.Result;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The contracts in PostgreSQL, as the service that has them said last.
 *
 * <p><b>Threads</b>: safe for use by many. <b>Failure</b>: as with {@link Users}, and what {@link ContractSource} and {@link
 * Contract#requireValid} throw.
 */
final class Contracts {

    private final DSLContext dsl;
    private final UnitOfWork unit;
    private final ContractSource source;
    private final String topic;

    /** What {@code contract.aggregated} tells. */
    private record ContractAggregated(
            String contractId,
            @Nullable String customer,
            @Nullable String currency,
            int items,
            long totalCents) {}

    Contracts(DataSource dataSource, UnitOfWork unit, ContractSource source, Topics topics) {
        this.dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        this.unit = unit.named("aggregate-contract");
        this.source = source;
        this.topic = topics.contracts();
    }

    /**
     * Expensive first, cheap last: fetches the contract while no connection is held, checks it, and then stores all of it with
     * the job {@code contract.aggregated} in one short transaction. A conflict there repeats only that. If the contract is
     * stored as it is already, nothing more happens.
     *
     * @throws RequestFailedException with status 409 if somebody stored another state of the contract meanwhile
     */
    Contract aggregate(String id) {
        @Nullable Contract known = find(id).orElse(null);
        UnitOfWork.requireNoneOpen();
        Contract fetched = source.fetch(id, known);
        fetched.requireValid();
        return unit.call(work -> store(work, known, fetched));
    }

    /** The contract as it is stored, if it is. */
    Optional<Contract> find(String id) {
        return find(dsl, id);
    }

    private Contract store(Work work, @Nullable Contract known, Contract fetched) {
        @Nullable Contract current = find(work.dsl(), fetched.id()).orElse(null);
        if (fetched.equals(current)) {
            return fetched;
        }
        // Which of two states is the newer one only their service knows. This one was fetched beside another.
        if (!Objects.equals(current, known)) {
            throw new RequestFailedException(
                    HttpStatus.CONFLICT,
                    "Could not aggregate contract " + fetched.id()
                            + ": another request has stored it meanwhile, in another"
                            + " state. That one was kept. Send the same request again.");
        }
        write(work.dsl(), fetched);
        work.stage(aggregated(fetched));
        return fetched;
    }

    private static void write(DSLContext dsl, Contract contract) {
        Header header = contract.header().value();
        List<Item> items = contract.items().value();
        // spotless:off
        dsl.execute("INSERT INTO contracts (id, customer, currency, header_etag, items_etag) VALUES (?, ?, ?, ?, ?)"
                + " ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, currency = excluded.currency,"
                + " header_etag = excluded.header_etag, items_etag = excluded.items_etag, aggregated_at = clock_timestamp()",
                contract.id(), header.customer(), header.currency(), contract.header().etag(), contract.items().etag());
        dsl.execute("DELETE FROM contract_items WHERE contract_id = ?", contract.id());
        dsl.execute("INSERT INTO contract_items (contract_id, position, description, amount_cents)"
                + " SELECT ?, * FROM unnest(?::int[], ?::text[], ?::bigint[])",
                contract.id(),
                items.stream().map(Item::position).toArray(Integer[]::new),
                items.stream().map(Item::description).toArray(String[]::new),
                items.stream().map(Item::amountCents).toArray(Long[]::new));
        // spotless:on
    }

    private StagedJob aggregated(Contract contract) {
        Header header = contract.header().value();
        return StagedJob.builder(topic, "contract.aggregated")
                .key(contract.id())
                .json(new ContractAggregated(
                        contract.id(),
                        header.customer(),
                        header.currency(),
                        contract.items().value().size(),
                        contract.totalCents()))
                .build();
    }

    /** One statement, so that header and items are of one state. */
    private static Optional<Contract> find(DSLContext dsl, String id) {
        Result<Record> rows = dsl.fetch(
                "SELECT c.customer, c.currency, c.header_etag, c.items_etag, i.position, i.description, i.amount_cents"
                        + " FROM contracts c LEFT JOIN contract_items i ON i.contract_id = c.id WHERE c.id = ?"
                        + " ORDER BY i.position",
                id);
        if (rows.isEmpty()) {
            return Optional.empty();
        }
        Record first = rows.get(0);
        Header header = new Header(id, first.get("customer", String.class), first.get("currency", String.class));
        List<Item> items = rows.stream()
                .filter(row -> row.get("position") != null)
                .map(row -> new Item(
                        row.get("position", Integer.class),
                        row.get("description", String.class),
                        row.get("amount_cents", Long.class)))
                .toList();
        return Optional.of(new Contract(
                id,
                new Versioned<>(header, first.get("header_etag", String.class)),
                new Versioned<>(items, first.get("items_etag", String.class))));
    }
}
