package io.stagedjobs.sample.upstream;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.javalin.Javalin;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * Another company's service, which has the contracts; small, and unreliable on request.
 *
 * <ul>
 *   <li>{@code GET /contracts/{id}} and {@code GET /contracts/{id}/items}: the JSON document at this path with its
 *       ETag; 304 if the request's {@code If-None-Match} names it; 404 if there is none.
 *   <li>{@code PUT} to the same paths: stores the body there, whatever it is. 204.
 *   <li>{@code PUT /trouble?path=…&is=…}: from now on the path has this {@link Trouble}. 204.
 * </ul>
 *
 * <p>It begins with the contracts {@code C-1}, of two items, and {@code C-2}, of none. <b>Threads</b>: thread-safe.
 */
public final class ContractService implements AutoCloseable {

    private final Javalin server;

    /** Both by path; guarded by this. */
    private final Map<String, byte[]> documents = new HashMap<>();

    private final Map<String, Trouble> troubles = new HashMap<>();

    /** What is wrong with a path. */
    public enum Trouble {
        NONE,
        /** 404. */
        MISSING,
        /** 500. */
        FAILING,
        /** No answer, until the trouble is another one. */
        SILENT,
        /** Half an answer, and the rest when the trouble is another one. */
        STALLED,
        /** 200, but no JSON. */
        INVALID
    }

    /**
     * A request for a document, reported when it arrives.
     *
     * @param ifNoneMatch the ETag that the client knows, if any
     * @param traceparent the trace that the request belongs to, if any
     */
    public record Call(
            String path,
            @Nullable String ifNoneMatch,
            @Nullable String traceparent) {}

    /**
     * Starts to listen on the loopback interface.
     *
     * @param port 0 for any free one
     * @param listener receives each request for a document, in the thread that answers it
     */
    public ContractService(int port, Consumer<Call> listener) {
        put("/contracts/C-1", "{\"id\": \"C-1\", \"customer\": \"Ada's Engines\", \"currency\": \"EUR\"}");
        put("/contracts/C-1/items", """
                [{"position": 1, "description": "Analytical engine", "amountCents": 1250000},
                 {"position": 2, "description": "Punched cards", "amountCents": 4990}]
                """);
        put("/contracts/C-2", "{\"id\": \"C-2\", \"customer\": \"Bob's Bikes\", \"currency\": \"USD\"}");
        put("/contracts/C-2/items", "[]");
        server = Javalin.create(config -> {
            config.startup.showJavalinBanner = false;
            config.startup.showOldJavalinVersionWarning = false;
            for (String path : new String[] {"/contracts/{id}", "/contracts/{id}/items"}) {
                config.routes.get(path, ctx -> answer(ctx, listener));
                config.routes.put(path, ctx -> {
                    put(ctx.path(), ctx.body());
                    ctx.status(HttpStatus.NO_CONTENT);
                });
            }
            config.routes.put("/trouble", this::trouble);
        });
        server.start("127.0.0.1", port);
    }

    public String url() {
        return "http://127.0.0.1:" + server.port();
    }

    /** Stores a document at a path; another text gets another ETag. */
    public synchronized void put(String path, String json) {
        documents.put(path, json.getBytes(UTF_8));
    }

    /** From now on the path has this trouble; requests that wait there go on. */
    public synchronized void trouble(String path, Trouble trouble) {
        troubles.put(path, trouble);
        notifyAll();
    }

    /** Waiting requests go on, and the server stops. */
    @Override
    public void close() {
        synchronized (this) {
            troubles.clear();
            notifyAll();
        }
        server.stop();
    }

    private void trouble(Context ctx) {
        @Nullable String path = ctx.queryParam("path");
        @Nullable String is = ctx.queryParam("is");
        try {
            trouble(String.valueOf(path), Trouble.valueOf(String.valueOf(is).toUpperCase(Locale.ROOT)));
            ctx.status(HttpStatus.NO_CONTENT);
        } catch (IllegalArgumentException unknown) {
            ctx.status(HttpStatus.BAD_REQUEST)
                    .result("expected PUT /trouble?path=PATH&is=" + Arrays.toString(Trouble.values()) + ", got is=" + is
                            + ". Nothing was changed.");
        }
    }

    private void answer(Context ctx, Consumer<Call> listener) throws IOException, InterruptedException {
        listener.accept(new Call(ctx.path(), ctx.header("If-None-Match"), ctx.header("traceparent")));
        awaitOtherThan(Trouble.SILENT, ctx.path());
        switch (troubleOf(ctx.path())) {
            case MISSING -> ctx.status(HttpStatus.NOT_FOUND);
            case FAILING -> ctx.status(HttpStatus.INTERNAL_SERVER_ERROR);
            case INVALID -> ctx.result("<html>Please log in</html>");
            case STALLED -> stall(ctx);
            case NONE, SILENT -> document(ctx);
        }
    }

    private void document(Context ctx) {
        byte @Nullable [] document = documentAt(ctx.path());
        if (document == null) {
            ctx.status(HttpStatus.NOT_FOUND);
            return;
        }
        String etag = etag(document);
        ctx.header("ETag", etag);
        if (etag.equals(ctx.header("If-None-Match"))) {
            ctx.status(HttpStatus.NOT_MODIFIED);
        } else {
            ctx.contentType("application/json").result(document);
        }
    }

    private void stall(Context ctx) throws IOException, InterruptedException {
        OutputStream body = ctx.contentType("application/json").outputStream();
        body.write('[');
        body.flush();
        awaitOtherThan(Trouble.STALLED, ctx.path());
        body.write(']');
    }

    private synchronized byte @Nullable [] documentAt(String path) {
        return documents.get(path);
    }

    private synchronized Trouble troubleOf(String path) {
        return troubles.getOrDefault(path, Trouble.NONE);
    }

    private synchronized void awaitOtherThan(Trouble trouble, String path) throws InterruptedException {
        while (troubleOf(path) == trouble) {
            wait();
        }
    }

    private static String etag(byte[] document) {
        CRC32 checksum = new CRC32();
        checksum.update(document);
        return "\"" + Long.toHexString(checksum.getValue()) + "\"";
    }
}
