package io.stagedjobs.enqueuer.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.javalin.Javalin;
import io.javalin.http.Context;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.StagedJobsException;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.OutsideException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.ServerSocketChannel;
import java.security.MessageDigest;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Health, metrics and status over HTTP. Nothing here changes anything. With a token set, everything but health asks for it.
 */
public final class AdminServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(AdminServer.class);
    private static final JsonMapper JSON = new JsonMapper();
    private static final String METRICS_FORMAT = "text/plain; version=0.0.4; charset=utf-8";

    private final ServerSocketChannel socket;
    private final Health health;
    private final PrometheusMeterRegistry registry;
    private final Optional<String> token;
    private final SharedReading<byte[]> status;

    private @Nullable Javalin server;

    /**
     * Where to listen.
     *
     * @param port 0 for any free one
     * @param token asked for as {@code Authorization: Bearer …}
     */
    public record Binding(String host, int port, Optional<String> token) {

        /** Whether only this machine can connect; a name that nobody knows counts as not. */
        public boolean isLoopback() {
            try {
                return InetAddress.getByName(host).isLoopbackAddress();
            } catch (UnknownHostException e) {
                return false;
            }
        }
    }

    /**
     * Takes the port, and answers nobody yet: whoever connects waits for {@link #start}.
     *
     * @throws IOException if the port is taken, or the host has no address here
     */
    public AdminServer(Binding binding, Health health, PrometheusMeterRegistry registry, Supplier<Object> status)
            throws IOException {
        this.health = health;
        this.registry = registry;
        this.token = binding.token;
        this.socket = ServerSocketChannel.open();
        try {
            socket.bind(new InetSocketAddress(InetAddress.getByName(binding.host), binding.port));
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
        this.status = new SharedReading<>("status", () -> bytes(status.get()));
    }

    /** Starts to answer. */
    public synchronized void start() {
        if (!socket.isOpen()) {
            return; // closed meanwhile
        }
        server = Javalin.create(config -> {
            config.startup.showJavalinBanner = false;
            config.jetty.addConnector(this::connector);
            config.routes.get("/health/live", context -> json(context, Map.of("status", "live")));
            config.routes.get("/health/ready", this::ready);
            config.routes.get("/metrics", context -> {
                if (authorized(context)) {
                    context.contentType(METRICS_FORMAT).result(registry.scrape());
                }
            });
            config.routes.get("/api/status", context -> {
                if (authorized(context)) { // as a future, which keeps no thread from answering others meanwhile
                    context.future(
                            () -> status.ask().handle((bytes, failure) -> statusAnswered(context, bytes, failure)));
                }
            });
            config.routes.exception(Exception.class, (e, context) -> failed(context, e));
        });
        server.start();
    }

    private Connector connector(Server jetty, HttpConfiguration http) {
        ServerConnector connector = new ServerConnector(jetty, new HttpConnectionFactory(http));
        try {
            connector.open(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return connector;
    }

    /** The port in use. */
    public int port() {
        return socket.socket().getLocalPort();
    }

    @Override
    public synchronized void close() {
        if (server != null) {
            server.stop();
        }
        status.close();
        try {
            socket.close();
        } catch (IOException e) {
            log.debug("could not close the admin port", e);
        }
    }

    private void ready(Context context) {
        Map<String, String> problems = health.problems();
        context.status(problems.isEmpty() ? 200 : 503);
        json(
                context,
                problems.isEmpty()
                        ? Map.of("status", health.standsBy() ? "ready, standing by" : "ready")
                        : Map.of("status", "not ready", "problems", problems));
    }

    private boolean authorized(Context context) {
        if (token.isEmpty()) {
            return true;
        }
        byte[] expected = ("Bearer " + token.get()).getBytes(UTF_8);
        String given = context.header("Authorization");
        if (given != null && MessageDigest.isEqual(expected, given.getBytes(UTF_8))) {
            return true;
        }
        context.status(401).header("WWW-Authenticate", "Bearer");
        json(context, Map.of("error", "send the admin token as Authorization: Bearer …"));
        return false;
    }

    private static @Nullable Void statusAnswered(
            Context context, byte @Nullable [] status, @Nullable Throwable failure) {
        if (status == null) {
            failed(
                    context,
                    failure instanceof CompletionException && failure.getCause() != null
                            ? failure.getCause()
                            : failure);
        } else {
            context.contentType("application/json").result(status);
        }
        return null;
    }

    private static void failed(Context context, @Nullable Throwable e) {
        if (e instanceof OutsideException || e instanceof StagedJobsException) {
            context.status(503);
            json(context, Map.of("error", String.valueOf(e.getMessage())));
        } else {
            log.error("could not answer {} {}", context.method(), context.path(), e);
            context.status(500);
            json(context, Map.of("error", "unexpected failure; see the enqueuer's log"));
        }
    }

    private static void json(Context context, Object value) {
        context.contentType("application/json").result(bytes(value));
    }

    private static byte[] bytes(Object value) {
        try {
            return JSON.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write " + value.getClass() + " as JSON", e);
        }
    }
}
