package io.stagedjobs.sample;

import static io.stagedjobs.sample.Tables.*;
import static org.jooq.Records.mapping;
import static org.jooq.impl.DSL.currentOffsetDateTime;
import static org.jooq.impl.DSL.multiset;
import static org.jooq.impl.DSL.row;
import static org.jooq.impl.DSL.select;

import io.javalin.http.ConflictResponse;
import io.stagedjobs.StagedJob;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import io.stagedjobs.sample.Contract.Header;
import io.stagedjobs.sample.Contract.Item;
import io.stagedjobs.sample.Contract.Versioned;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The contracts in PostgreSQL, as the service that has them said last.
 *
 * <p><b>Threads</b>: safe for use by many. <b>Failure</b>: as with {@link Users}, and what {@link ContractSource} and
 * {@link Contract#requireValid} throw.
 */
final class Contracts {

    private final DSLContext dsl;
    private final UnitOfWork unit;
    private final ContractSource source;
    private final String topic;

    /** The payload of {@code contract.aggregated}. */
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
     * Expensive first, cheap last: fetches the contract while no connection is held, checks it, and then stores all of
     * it with the job {@code contract.aggregated} in one short transaction. A conflict there repeats only that. If the
     * contract is stored as it is already, nothing more happens.
     *
     * @throws ConflictResponse if somebody stored another state of the contract meanwhile
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
            throw new ConflictResponse("Could not aggregate contract " + fetched.id()
                    + ": another request has stored it meanwhile, in another state. That one was kept."
                    + " Send the same request again.");
        }
        write(work.dsl(), fetched);
        work.stage(aggregated(fetched));
        return fetched;
    }

    private static void write(DSLContext dsl, Contract contract) {
        Header header = contract.header().value();
        List<Item> items = contract.items().value();
        dsl.insertInto(CONTRACTS)
                .set(CONTRACT_ID, contract.id())
                .set(CONTRACT_CUSTOMER, header.customer())
                .set(CONTRACT_CURRENCY, header.currency())
                .set(CONTRACT_HEADER_ETAG, contract.header().etag())
                .set(CONTRACT_ITEMS_ETAG, contract.items().etag())
                .set(CONTRACT_AGGREGATED_AT, currentOffsetDateTime())
                .onConflict(CONTRACT_ID)
                .doUpdate()
                .setAllToExcluded()
                .execute();
        dsl.deleteFrom(ITEMS).where(ITEM_CONTRACT.eq(contract.id())).execute();
        if (!items.isEmpty()) {
            dsl.insertInto(ITEMS, ITEM_CONTRACT, ITEM_POSITION, ITEM_DESCRIPTION, ITEM_AMOUNT)
                    .valuesOfRows(items.stream()
                            .map(item -> row(contract.id(), item.position(), item.description(), item.amountCents()))
                            .toList())
                    .execute();
        }
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
        Field<List<Item>> items = multiset(select(ITEM_POSITION, ITEM_DESCRIPTION, ITEM_AMOUNT)
                        .from(ITEMS)
                        .where(ITEM_CONTRACT.eq(CONTRACT_ID))
                        .orderBy(ITEM_POSITION))
                .convertFrom(rows -> rows.map(mapping(Item::new)));
        return dsl.select(CONTRACT_CUSTOMER, CONTRACT_CURRENCY, CONTRACT_HEADER_ETAG, items, CONTRACT_ITEMS_ETAG)
                .from(CONTRACTS)
                .where(CONTRACT_ID.eq(id))
                .fetchOptional(mapping((customer, currency, headerEtag, found, itemsEtag) -> new Contract(
                        id,
                        new Versioned<>(new Header(id, customer, currency), headerEtag),
                        new Versioned<>(found, itemsEtag))));
    }
}
