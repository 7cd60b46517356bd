package io.stagedjobs.idempotency;

import io.stagedjobs.Isolation;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import io.stagedjobs.internal.HeadersJson;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.JSONB;
import org.jooq.Record1;
import org.jooq.conf.Settings;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/**
 * Does each HTTP request once, even if the client repeats it. The transaction of the business rows and the staged jobs
 * also stores the key, a fingerprint of the request and the response. A repeated request gets the first response and
 * stages no second job.
 *
 * <pre>{@code
 * IdempotencyKeys keys = IdempotencyKeys.on(unit);
 * Response response = keys.answer(Request.of(clientId, idempotencyKey, "POST", "/orders", body), work -> {
 *     …
 *     work.stage(orderPlaced);
 *     return Response.of(201, json);
 * });
 * }</pre>
 *
 * <p><b>Transaction</b>: each call is a unit of work of the {@link UnitOfWork} given, with its isolation, retries and
 * listener. A request whose block throws, or whose transaction fails, leaves no key behind and may be sent again. To
 * make an error response repeatable, return it instead of throwing.
 *
 * <p><b>Concurrency</b>: of several concurrent requests with one key, one works; the others get a {@link
 * KeyInProgressException} at once, and none waits while it holds a connection. If the working process dies, its key is
 * free.
 *
 * <p><b>Threads</b>: immutable, thread-safe.
 */
public final class IdempotencyKeys {

    private static final int PRUNED_AT_ONCE_MAX = 1_000;

    /** Part of the contract: code in other languages takes the same lock. */
    private static final long LOCK_SEED = 409;

    /** The address of a row. It does not change within the transaction that made the row. */
    private static final Field<Object> ADDRESS = DSL.field("ctid");

    /** The application's settings, such as renamed schemas, must not apply to our tables. */
    private static final Settings OUR_SETTINGS = new Settings();

    private final UnitOfWork unit;
    private final UnitOfWork readCommitted;
    private final Tables.IdempotencyKeys keys;

    private IdempotencyKeys(UnitOfWork unit, Schema schema) {
        this.unit = unit;
        // One statement each, which would only be in the way of serializable units.
        this.readCommitted = unit.isolation(Isolation.READ_COMMITTED);
        this.keys = new Tables(schema).idempotencyKeys;
    }

    /** Keys in the schema {@code public}, each request as a unit of {@code unit}. */
    public static IdempotencyKeys on(UnitOfWork unit) {
        return on(unit, Schema.PUBLIC);
    }

    /** Keys in the given schema. */
    public static IdempotencyKeys on(UnitOfWork unit, Schema schema) {
        return new IdempotencyKeys(unit, schema);
    }

    /**
     * Answers a request with the block's response. If the request was answered before, returns that response and does
     * not run the block.
     *
     * @throws KeyInProgressException if another transaction is at work on this key (409)
     * @throws KeyReusedException if the key was used for another request (422)
     * @throws E the block's exception; nothing was stored
     */
    public <E extends Exception> Response answer(Request request, Work.ResultBlock<Response, E> block) throws E {
        return unit.call(work -> {
            DSLContext dsl = dsl(work);
            lock(dsl, request);
            Optional<String> claimed = claim(dsl, request);
            if (claimed.isEmpty()) {
                return read(dsl, request).orElseThrow(() -> new KeyInProgressException(request.key()));
            }
            Response response = block.run(work);
            keep(dsl, claimed.get(), response);
            return response;
        });
    }

    /**
     * The earlier response to this request, if there is one. Call this before you fetch anything slow for the request.
     *
     * @throws KeyReusedException if the key was used for another request (422)
     */
    public Optional<Response> answered(Request request) {
        return readCommitted.call(work -> read(dsl(work), request));
    }

    /**
     * Deletes the keys that are older than {@code age} by the database's clock; a request with such a key is a new one
     * again. Works in transactions of at most {@value #PRUNED_AT_ONCE_MAX} keys. May run anywhere, even in several
     * places at once.
     *
     * @return the number of deleted keys
     */
    public int prune(Duration age) {
        if (age.isNegative()) {
            throw new IllegalArgumentException("the age must not be negative, but is " + age);
        }
        Field<OffsetDateTime> limit =
                DSL.field("clock_timestamp() - ? * interval '1 millisecond'", OffsetDateTime.class, age.toMillis());
        OffsetDateTime before =
                readCommitted.call(work -> dsl(work).select(limit).fetchSingle().value1());
        int pruned = 0;
        int last;
        do {
            last = readCommitted.<Integer, RuntimeException>call(work -> prune(dsl(work), before));
            pruned += last;
        } while (last == PRUNED_AT_ONCE_MAX);
        return pruned;
    }

    /**
     * An advisory lock of the transaction, on a hash of the key. PostgreSQL releases it however the transaction ends,
     * and taking it never waits. If two keys have the same hash, one request must be repeated.
     */
    private static void lock(DSLContext dsl, Request request) {
        boolean free = dsl.fetchSingle(
                        "SELECT pg_try_advisory_xact_lock(hashtextextended(?, hashtextextended(?, ?)))",
                        request.key(),
                        request.scope(),
                        LOCK_SEED)
                .get(0, boolean.class);
        if (!free) {
            throw new KeyInProgressException(request.key());
        }
    }

    /**
     * By the primary key; returns the row's address, or nothing if the row already exists. Under REPEATABLE READ and
     * above, a row that was committed after the snapshot is a serialization failure, which the unit retries.
     */
    private Optional<String> claim(DSLContext dsl, Request request) {
        return dsl.insertInto(keys.table, keys.scope, keys.idempotencyKey, keys.fingerprint)
                .values(request.scope(), request.key(), request.fingerprint())
                .onConflict(keys.scope, keys.idempotencyKey)
                .doNothing()
                .returningResult(ADDRESS.cast(SQLDataType.CLOB))
                .fetchOptional()
                .map(Record1::value1);
    }

    /**
     * By the row's address. With an index look-up, any two concurrent serializable units would conflict, since they
     * also insert there.
     */
    private void keep(DSLContext dsl, String address, Response response) {
        int kept = dsl.update(keys.table)
                .set(keys.status, response.status())
                .set(keys.headers, JSONB.jsonbOrNull(HeadersJson.of(response.headers())))
                .set(keys.body, response.body())
                .where("ctid = ?::tid", address)
                .execute();
        if (kept != 1) {
            throw new IllegalStateException(
                    "cannot keep the response of an idempotent request: its key was changed by the"
                            + " block itself. Everything was rolled back.");
        }
    }

    /** One row by the primary key, once for each of its headers; no locks. */
    private Optional<Response> read(DSLContext dsl, Request request) {
        Field<String> header = DSL.field(DSL.name("h", "key"), String.class);
        Field<String> value = DSL.field(DSL.name("h", "value"), String.class);
        var rows = dsl.select(keys.fingerprint, keys.status, keys.body, header, value)
                .from(keys.table)
                .leftJoin(DSL.lateral(DSL.table("jsonb_each_text({0})", keys.headers))
                        .as("h"))
                .on(DSL.trueCondition())
                .where(keys.scope.eq(request.scope()), keys.idempotencyKey.eq(request.key()))
                .fetch();
        if (rows.isEmpty()) {
            return Optional.empty();
        }
        if (!request.fingerprint().equals(rows.get(0).get(keys.fingerprint))) {
            throw new KeyReusedException(request.key());
        }
        Integer status = rows.get(0).get(keys.status);
        if (status == null) {
            return Optional.empty(); // this transaction itself works on it
        }
        Map<String, String> headers = new LinkedHashMap<>();
        rows.stream()
                .filter(row -> row.get(header) != null)
                .forEach(row -> headers.put(row.get(header), row.get(value)));
        return Optional.of(new Response(status, headers, rows.get(0).get(keys.body), true));
    }

    /**
     * Uses the index on {@code created_at}, then the rows' addresses, whatever the planner's statistics say; locks the
     * rows it deletes.
     */
    private int prune(DSLContext dsl, OffsetDateTime before) {
        return dsl.deleteFrom(keys.table)
                .where(ADDRESS.eq(DSL.any(DSL.array(DSL.select(ADDRESS)
                        .from(keys.table)
                        .where(keys.createdAt.lt(before))
                        .orderBy(keys.createdAt)
                        .limit(PRUNED_AT_ONCE_MAX)))))
                .execute();
    }

    private static DSLContext dsl(Work work) {
        return work.dsl().configuration().derive(OUR_SETTINGS).dsl();
    }
}
