package io.stagedjobs.daemon.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.javalin.Javalin;
import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.StagedJobsException;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Health;
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
import java.util.regex.Pattern;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Health, metrics and status over HTTP. Nothing here changes anything. With a token set, everything but health asks for
 * it.
 */
public final class AdminServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(AdminServer.class);
    private static final JsonMapper JSON = new JsonMapper();
    private static final String BEARER = "Bearer ";

    /** What a client on this machine calls it. */
    private static final Pattern LOOPBACK =
            Pattern.compile("(.+\\.)?localhost|127(\\.[0-9]{1,3}){3}|\\[::1]", Pattern.CASE_INSENSITIVE);

    private static final String METRICS_FORMAT = "text/plain; version=0.0.4; charset=utf-8";

    private final ServerSocketChannel socket;
    private final Health health;
    private final PrometheusMeterRegistry registry;
    private final Binding binding;
    private final boolean loopback;
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
        this.binding = binding;
        this.loopback = binding.isLoopback();
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
            config.http.prefer405over404 = true;
            config.routes.before(this::requireOwnName);
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
            config.routes.exception(
                    HttpResponseException.class, (e, context) -> error(context, e.getStatus(), words(context, e)));
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
        if (binding.token.isEmpty()) {
            return true;
        }
        String given = context.header("Authorization");
        if (given != null
                && given.regionMatches(
                        true, 0, BEARER, 0, BEARER.length()) // the scheme's case does not matter: RFC 9110
                && MessageDigest.isEqual(
                        binding.token.get().getBytes(UTF_8),
                        given.substring(BEARER.length()).trim().getBytes(UTF_8))) {
            return true;
        }
        context.header("WWW-Authenticate", "Bearer");
        error(context, 401, "send the admin token as Authorization: Bearer …");
        return false;
    }

    /**
     * A page elsewhere may have its own name resolved to this address, and would then read our answers in the
     * operator's browser. Its requests carry that name. Nobody reaches a port of the loopback interface by another name
     * than this machine's own.
     */
    private void requireOwnName(Context context) {
        String host = String.valueOf(context.host()).replaceFirst(":[0-9]*$", "");
        if (loopback
                && !host.equalsIgnoreCase(binding.host)
                && !LOOPBACK.matcher(host).matches()) {
            throw new HttpResponseException(421, "this port answers requests to localhost, and no other name");
        }
    }

    private static String words(Context context, HttpResponseException e) {
        return switch (e.getStatus()) {
            case 404 -> "nothing is at this path; see /health/live, /health/ready, /metrics and /api/status";
            case 405 -> context.method() + " is nothing that can be done here; use GET";
            default -> String.valueOf(e.getMessage());
        };
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
        if (e instanceof ExternalFailureException || e instanceof StagedJobsException) {
            error(context, 503, String.valueOf(e.getMessage()));
        } else {
            log.error("could not answer {} {}", context.method(), context.path(), e);
            error(context, 500, "unexpected failure; see the enqueuer's log");
        }
    }

    private static void error(Context context, int status, String words) {
        context.status(status);
        json(context, Map.of("error", words));
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
