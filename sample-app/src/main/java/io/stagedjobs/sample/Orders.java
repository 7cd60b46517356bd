package io.stagedjobs.sample;

import static io.stagedjobs.sample.Tables.*;
import static org.jooq.Records.mapping;
import static org.jooq.impl.DSL.currentOffsetDateTime;
import static org.jooq.impl.DSL.excluded;

import io.javalin.http.ConflictResponse;
import io.javalin.http.HttpResponseException;
import io.javalin.http.NotFoundResponse;
import io.stagedjobs.StagedJob;
import io.stagedjobs.UnitOfWork;
import java.time.OffsetDateTime;
import java.util.Optional;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * The orders in PostgreSQL.
 *
 * <p><b>Transactions</b>: every method runs one of its own, or joins the unit of work that is open on the thread.
 * <b>Threads</b>: thread-safe. <b>Failure</b>: as with {@link Users}, and an {@link HttpResponseException} where a
 * method says so; then nothing was stored.
 */
final class Orders {

    private final DSLContext dsl;
    private final UnitOfWork placing;
    private final UnitOfWork completing;
    private final Users users;
    private final String topic;

    /** The payload of {@code order.completed}. */
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
     * @throws ConflictResponse if the order is completed with another amount
     */
    Order place(String id, long amountCents) {
        return placing.call(work -> {
            work.dsl()
                    .insertInto(ORDERS, ORDER_ID, ORDER_AMOUNT)
                    .values(id, amountCents)
                    .onConflict(ORDER_ID)
                    .doUpdate()
                    .set(ORDER_AMOUNT, excluded(ORDER_AMOUNT))
                    .where(ORDER_BUYER.isNull())
                    .execute();
            Order order = find(work.dsl(), id).orElseThrow(() -> unknown(id));
            if (order.amountCents() != amountCents) {
                throw new ConflictResponse(
                        "Cannot change order " + id + ": it is completed. It stays as it is. Place another order.");
            }
            return order;
        });
    }

    /**
     * Completes the order for the user with this address, and creates a missing user: stores the user with its job, the
     * order and the job {@code order.completed}, all or nothing. If that user has already completed it, nothing
     * changes.
     *
     * @throws NotFoundResponse if there is no such order
     * @throws ConflictResponse if another user has completed it
     */
    Order complete(String id, String email) {
        return completing.call(work -> {
            Order order = find(work.dsl(), id).orElseThrow(() -> unknown(id));
            if (order.buyer() != null) {
                return requireBuyer(order, order.buyer(), email);
            }
            User buyer = users.signUp(email); // joins this unit
            work.dsl()
                    .update(ORDERS)
                    .set(ORDER_BUYER, buyer.id())
                    .set(ORDER_COMPLETED_AT, currentOffsetDateTime())
                    .where(ORDER_ID.eq(id))
                    .execute();
            work.stage(StagedJob.builder(topic, "order.completed")
                    .key(id)
                    .json(new OrderCompleted(id, order.amountCents(), buyer.id(), email))
                    .build());
            return find(work.dsl(), id).orElseThrow();
        });
    }

    /** The order with this id, if there is one. */
    Optional<Order> find(String id) {
        return find(dsl, id);
    }

    static NotFoundResponse unknown(String id) {
        return new NotFoundResponse(
                "There is no order " + id + ". Nothing was kept. Place it with PUT /orders/" + id + " first.");
    }

    private static Order requireBuyer(Order order, User buyer, String email) {
        if (!buyer.email().equals(email)) {
            throw new ConflictResponse("Cannot complete order " + order.id() + ": somebody else has completed it."
                    + " It stays as it is, and no user was created. Place another order.");
        }
        return order;
    }

    private static Optional<Order> find(DSLContext dsl, String id) {
        return dsl.select(ORDER_AMOUNT, ORDER_COMPLETED_AT, USER_ID, USER_EMAIL, USER_NAME, USER_CREATED_AT)
                .from(ORDERS)
                .leftJoin(USERS)
                .on(USER_ID.eq(ORDER_BUYER))
                .where(ORDER_ID.eq(id))
                .fetchOptional(mapping((amount, completedAt, userId, email, name, createdAt) -> completedAt == null
                        ? new Order(id, amount, null, null)
                        : new Order(id, amount, User.of(userId, email, name, createdAt), utc(completedAt))));
    }

    private static String utc(OffsetDateTime time) {
        return time.toInstant().toString();
    }
}
