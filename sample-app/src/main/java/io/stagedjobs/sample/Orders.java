package io.stagedjobs.sample;

import io.javalin.http.HttpStatus;
import io.stagedjobs.StagedJob;
import io.stagedjobs.UnitOfWork;
import java.time.OffsetDateTime;
import java.util.Optional;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The orders in PostgreSQL.
 *
 * <p><b>Transactions</b>: every method runs one of its own, or joins the unit of work that is open on the thread.
 * <b>Threads</b>: safe for use by many. <b>Failure</b>: as with {@link Users}, and {@link RequestFailedException} where a method
 * says so; nothing was stored then.
 */
final class Orders {

    private final DSLContext dsl;
    private final UnitOfWork placing;
    private final UnitOfWork completing;
    private final Users users;
    private final String topic;

    /** What {@code order.completed} tells. */
    private record OrderCompleted(String orderId, long amountCents, long userId, String email) {}

    Orders(DataSource dataSource, UnitOfWork unit, Users users, Topics topics) {
        this.dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        this.placing = unit.named("place-order");
        this.completing = unit.named("complete-order");
        this.users = users;
        this.topic = topics.orders();
    }

    /**
     * Opens an order, or gives an open one this amount.
     *
     * @throws RequestFailedException if the order is completed with another amount (409)
     */
    Order place(String id, long amountCents) {
        return placing.call(work -> {
            work.dsl()
                    .execute(
                            "INSERT INTO orders (id, amount_cents) VALUES (?, ?) ON CONFLICT (id)"
                                    + " DO UPDATE SET amount_cents = excluded.amount_cents WHERE orders.buyer_id IS NULL",
                            id,
                            amountCents);
            Order order = find(work.dsl(), id).orElseThrow(() -> unknown(id));
            if (order.amountCents() != amountCents) {
                throw new RequestFailedException(
                        HttpStatus.CONFLICT,
                        "Cannot change order " + id + ": it is completed."
                                + " It stays as it is. Place another order.");
            }
            return order;
        });
    }

    /**
     * Completes the order for the user with this address, who is created if there is none: the user with its job, the order
     * and the job {@code order.completed}, all or nothing. If that user has completed it before, nothing more happens.
     *
     * @throws RequestFailedException if there is no such order (404), or another user has completed it (409)
     */
    Order complete(String id, String email) {
        return completing.call(work -> {
            Order order = find(work.dsl(), id).orElseThrow(() -> unknown(id));
            if (order.buyer() != null) {
                return requireBuyer(order, order.buyer(), email);
            }
            User buyer = users.signUp(email); // joins this unit
            OffsetDateTime completedAt = work.dsl()
                    .fetchSingle(
                            "UPDATE orders SET buyer_id = ?, completed_at = clock_timestamp() WHERE id = ?"
                                    + " RETURNING completed_at",
                            buyer.id(),
                            id)
                    .into(OffsetDateTime.class);
            work.stage(StagedJob.builder(topic, "order.completed")
                    .key(id)
                    .json(new OrderCompleted(id, order.amountCents(), buyer.id(), email))
                    .build());
            return new Order(
                    id, order.amountCents(), buyer, completedAt.toInstant().toString());
        });
    }

    /** The order with this id, if there is one. */
    Optional<Order> find(String id) {
        return find(dsl, id);
    }

    static RequestFailedException unknown(String id) {
        return new RequestFailedException(
                HttpStatus.NOT_FOUND,
                "There is no order " + id + ". Nothing was kept. Place it with PUT /orders/" + id + " first.");
    }

    private static Order requireBuyer(Order order, User buyer, String email) {
        if (!buyer.email().equals(email)) {
            throw new RequestFailedException(
                    HttpStatus.CONFLICT,
                    "Cannot complete order " + order.id() + ": somebody else"
                            + " has completed it. It stays as it is, and no user was created. Place another order.");
        }
        return order;
    }

    private static Optional<Order> find(DSLContext dsl, String id) {
        return dsl.fetchOptional(
                        "SELECT o.amount_cents, o.completed_at, u.id, u.email, u.name, u.created_at"
                                + " FROM orders o LEFT JOIN users u ON u.id = o.buyer_id WHERE o.id = ?",
                        id)
                .map(row -> order(id, row));
    }

    private static Order order(String id, Record row) {
        @Nullable OffsetDateTime completedAt = row.get("completed_at", OffsetDateTime.class);
        long amountCents = row.get("amount_cents", Long.class);
        return completedAt == null
                ? new Order(id, amountCents, null, null)
                : new Order(
                        id,
                        amountCents,
                        Users.user(row),
                        completedAt.toInstant().toString());
    }
}
