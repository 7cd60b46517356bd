package io.stagedjobs.idempotency;

import io.stagedjobs.Isolation;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import io.stagedjobs.internal.HeadersJson;
import io.stagedjobs.schema.Schema;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.Result;

/**
 * HTTP requests that a client may send again, each done once. The key, a fingerprint of the request and the response
 * are stored in the transaction of the business rows and the staged jobs, so that a repeated request gets the first
 * answer and makes no second job.
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
 * listener. A request whose block throws, or whose transaction fails, leaves no key behind and may be sent again. An
 * answer that is an error, but is to be repeated as it is, is returned and not thrown.
 *
 * <p><b>At the same time</b>: of several requests with one key one works, and the others are told at once by {@link
 * KeyInProgressException}; none waits with a connection in its hand. The process that works may die: its key is then
 * free.
 *
 * <p><b>Threads</b>: immutable, safe for use by many threads.
 */
public final class IdempotencyKeys {

    private static final int PRUNED_AT_ONCE_MAX = 1_000;

    /** Part of the contract: whoever works on the table in another language takes the same lock. */
    private static final long LOCK_SEED = 409;

    private final UnitOfWork unit;
    private final UnitOfWork readCommitted;
    private final String claim;
    private final String keep;
    private final String read;
    private final String prune;

    private IdempotencyKeys(UnitOfWork unit, Schema schema) {
        this.unit = unit;
        // One statement each, which would only be in the way of serializable units.
        this.readCommitted = unit.isolation(Isolation.READ_COMMITTED);
        String table = schema.qualified("staged_job_idempotency_keys");
        // spotless:off
        // The primary key. Under REPEATABLE READ and above, a row that was committed after the snapshot is a
        // serialization failure, which the unit retries.
        this.claim = "INSERT INTO " + table + " (scope, idempotency_key, fingerprint) VALUES (?, ?, ?)"
                + " ON CONFLICT (scope, idempotency_key) DO NOTHING RETURNING ctid::text";
        // By the row's address: the transaction made the row itself, so nobody moves it. Looking it up in an index would
        // make every two serializable units at work a conflict, since they also insert there.
        this.keep = "UPDATE " + table + " SET status = ?, headers = ?::jsonb, body = ? WHERE ctid = ?::tid";
        // One row by the primary key; no locks.
        this.read = "SELECT k.fingerprint, k.status, k.body, h.key AS header, h.value FROM " + table + " AS k"
                + " LEFT JOIN LATERAL jsonb_each_text(k.headers) AS h ON true"
                + " WHERE k.scope = ? AND k.idempotency_key = ?";
        // The index on created_at, and then the rows by their addresses, whatever the planner believes; locks what it
        // deletes.
        this.prune = "DELETE FROM " + table + " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " + table
                + " WHERE created_at < ?::timestamptz ORDER BY created_at LIMIT " + PRUNED_AT_ONCE_MAX + "))";
        // spotless:on
    }

    /** Keys in the schema {@code public}, each request as a unit of {@code unit}. */
    public static IdempotencyKeys on(UnitOfWork unit) {
        return on(unit, Schema.PUBLIC);
    }

    /** Keys in the schema given. */
    public static IdempotencyKeys on(UnitOfWork unit, Schema schema) {
        return new IdempotencyKeys(unit, schema);
    }

    /**
     * Answers a request: with what the block returns, or, if the request was answered before, with that answer, and the
     * block does not run.
     *
     * @throws KeyInProgressException if another transaction is at work on this key (409)
     * @throws KeyReusedException if the key was used for another request (422)
     * @throws E what the block threw; nothing was stored
     */
    public <E extends Exception> Response answer(Request request, Work.ResultBlock<Response, E> block) throws E {
        return unit.call(work -> {
            lock(work.dsl(), request);
            Optional<Record> claimed =
                    work.dsl().fetchOptional(claim, request.scope(), request.key(), request.fingerprint());
            if (claimed.isEmpty()) {
                return read(work.dsl(), request).orElseThrow(() -> new KeyInProgressException(request.key()));
            }
            Response response = block.run(work);
            keep(work.dsl(), claimed.get().get(0, String.class), response);
            return response;
        });
    }

    /**
     * The answer to this request if there was one: to be asked before something expensive is fetched for it.
     *
     * @throws KeyReusedException if the key was used for another request (422)
     */
    public Optional<Response> answered(Request request) {
        return readCommitted.call(work -> read(work.dsl(), request));
    }

    /**
     * Forgets the keys that are older than {@code age} by the database's clock: requests with them are new ones again.
     * Works in transactions of at most {@value #PRUNED_AT_ONCE_MAX} keys; may run anywhere, also in several places at
     * once.
     *
     * @return how many were forgotten
     */
    public int prune(Duration age) {
        if (age.isNegative()) {
            throw new IllegalArgumentException("the age must not be negative, but is " + age);
        }
        OffsetDateTime before = readCommitted.call(work -> work.dsl()
                .fetchSingle("SELECT clock_timestamp() - ? * interval '1 millisecond'", age.toMillis())
                .get(0, OffsetDateTime.class));
        int pruned = 0;
        int last;
        do {
            last = readCommitted.<Integer, RuntimeException>call(
                    work -> work.dsl().execute(prune, before));
            pruned += last;
        } while (last == PRUNED_AT_ONCE_MAX);
        return pruned;
    }

    /**
     * An advisory lock of the transaction, on a hash of the key: PostgreSQL gives it back however the transaction ends,
     * and asking for it does not wait. Two keys of the same hash cost one of them a repetition.
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

    private void keep(DSLContext dsl, String row, Response response) {
        int kept = dsl.execute(keep, response.status(), HeadersJson.of(response.headers()), response.body(), row);
        if (kept != 1) {
            throw new IllegalStateException(
                    "cannot keep the response of an idempotent request: its key was changed by the"
                            + " block itself. Everything was rolled back.");
        }
    }

    private Optional<Response> read(DSLContext dsl, Request request) {
        Result<Record> rows = dsl.fetch(read, request.scope(), request.key());
        if (rows.isEmpty()) {
            return Optional.empty();
        }
        Record first = rows.get(0);
        if (!request.fingerprint().equals(first.get("fingerprint", String.class))) {
            throw new KeyReusedException(request.key());
        }
        Integer status = first.get("status", Integer.class);
        if (status == null) {
            return Optional.empty(); // this transaction itself is at work on it
        }
        Map<String, String> headers = new LinkedHashMap<>();
        for (Record row : rows) {
            String header = row.get("header", String.class);
            if (header != null) {
                headers.put(header, row.get("value", String.class));
            }
        }
        return Optional.of(new Response(status, headers, first.get("body", byte[].class), true));
    }
}
