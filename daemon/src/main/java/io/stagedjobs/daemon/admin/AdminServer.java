package io.stagedjobs.daemon.admin;

import static io.stagedjobs.daemon.admin.Answers.refusal;

import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import io.javalin.http.HttpResponseException;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.Refusal;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Health, metrics, the API and the operator's page over HTTP. No GET changes anything. With a token set, metrics and
 * the API ask for one.
 */
public final class AdminServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(AdminServer.class);
    private static final String METRICS_FORMAT = "text/plain; version=0.0.4; charset=utf-8";
    private static final Set<String> REASONS =
            Arrays.stream(Refusal.Reason.values()).map(Refusal.Reason::label).collect(Collectors.toUnmodifiableSet());

    private final ServerSocketChannel socket;
    private final Health health;
    private final PrometheusMeterRegistry registry;
    private final Access access;
    private final Budgets budgets;
    private final Connections connections = new Connections();
    private final PageFiles page = new PageFiles();
    private final Series series;
    private final ReadApi reads;
    private final ChangeApi changes;

    private @Nullable Javalin server;

    /** What each client address may ask. A page that refreshes itself needs a few reads a second. */
    record Budgets(RequestBudget reads, RequestBudget changes) {
        Budgets() {
            this(new RequestBudget(300, 50, System::nanoTime), new RequestBudget(30, 2, System::nanoTime));
        }
    }

    /**
     * Takes the port, and answers nobody yet: whoever connects waits for {@link #start}.
     *
     * @param doctor a diagnosis that can be written as JSON
     * @throws IOException if the port is taken, or the host has no address here
     */
    public AdminServer(
            Binding binding, Health health, PrometheusMeterRegistry registry, Outbox outbox, Supplier<Object> doctor)
            throws IOException {
        this(binding, health, registry, outbox, doctor, new Budgets());
    }

    AdminServer(
            Binding binding,
            Health health,
            PrometheusMeterRegistry registry,
            Outbox outbox,
            Supplier<Object> doctor,
            Budgets budgets)
            throws IOException {
        this.health = health;
        this.registry = registry;
        this.budgets = budgets;
        this.access = new Access(binding);
        this.socket = ServerSocketChannel.open();
        try {
            socket.bind(new InetSocketAddress(InetAddress.getByName(binding.host()), binding.port()));
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
        this.series = new Series(outbox, registry, System::nanoTime);
        this.reads = new ReadApi(outbox, series, health, access, REASONS, doctor);
        this.changes = new ChangeApi(outbox, access, new Body.Reader(connections), REASONS, reads::outdated);
    }

    /** Starts to answer. */
    public synchronized void start() {
        if (!socket.isOpen()) {
            return; // closed meanwhile
        }
        server = Javalin.create(config -> {
            config.startup.showJavalinBanner = false;
            config.jetty.addConnector(this::connector);
            config.jetty.modifyServer(jetty -> jetty.setErrorHandler(new Answers.OfJetty()));
            config.http.prefer405over404 = true;
            routes(config);
        });
        server.start();
        connections.start();
        series.start();
    }

    private void routes(JavalinConfig config) {
        config.routes.before(this::admit);
        config.routes.get("/health/live", context -> Answers.json(context, Map.of("status", "live")));
        config.routes.get("/health/ready", this::ready);
        config.routes.get(
                "/metrics", context -> context.contentType(METRICS_FORMAT).result(registry.scrape()));
        page.routes().forEach(config.routes::get);
        reads.routes().forEach(config.routes::get);
        changes.routes().forEach(config.routes::post);
        config.routes.exception(HttpResponseException.class, this::refused);
        config.routes.exception(
                HttpException.RuntimeException.class,
                (e, context) -> Answers.error(context, e.getCode(), "this is no request that can be answered"));
        config.routes.exception(Exception.class, (e, context) -> Answers.failed(context, e));
    }

    /** Decides before anything else whether this caller may ask at all. */
    private void admit(Context context) {
        Answers.HEADERS.forEach(context::header);
        access.requireOwnName(context);
        boolean api = context.path().startsWith("/api/");
        if (api || context.path().equals("/metrics")) {
            requireBudget(context);
            if (api) {
                access.requireOwnPage(context);
            }
            access.requireReader(context);
        }
    }

    private void requireBudget(Context context) {
        boolean change = context.method().equals(HandlerType.POST);
        int seconds = (change ? budgets.changes : budgets.reads).take(context.ip());
        if (seconds > 0) {
            context.header("Retry-After", String.valueOf(seconds));
            throw refusal(429, "too many requests; the next one is welcome in " + seconds + " s");
        }
    }

    private void refused(HttpResponseException e, Context context) {
        if (context.method().equals(HandlerType.POST)) {
            Audit.refused(context.path(), context.ip(), e.getStatus());
        }
        Answers.error(context, e.getStatus(), words(context, e));
    }

    private static String words(Context context, HttpResponseException e) {
        return switch (e.getStatus()) {
            case 404 ->
                e.getMessage() == null || e.getMessage().startsWith("Endpoint")
                        ? "nothing is at this path; the page is at /, see also /health/live, /health/ready, /metrics"
                                + " and /api/v1/openapi.yaml"
                        : e.getMessage();
            case 405 -> context.method() + " is nothing that can be done here; see /api/v1/openapi.yaml";
            default -> String.valueOf(e.getMessage());
        };
    }

    private void ready(Context context) {
        Map<String, String> problems = health.problems();
        context.status(problems.isEmpty() ? 200 : 503);
        Answers.json(
                context,
                problems.isEmpty()
                        ? Map.of("status", health.standsBy() ? "ready, standing by" : "ready")
                        : Map.of("status", "not ready", "problems", problems));
    }

    private Connector connector(Server jetty, HttpConfiguration http) {
        http.setSendServerVersion(false);
        ServerConnector connector = new ServerConnector(jetty, new HttpConnectionFactory(http));
        connector.addBean(connections); // is told of each connection
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
        connections.close();
        series.close();
        reads.close();
        changes.close();
        try {
            socket.close();
        } catch (IOException e) {
            log.debug("could not close the admin port", e);
        }
    }

    /** The routes of the API as "VERB /path". */
    Set<String> routes() {
        Set<String> routes = new TreeSet<>();
        reads.routes().keySet().forEach(path -> routes.add("GET " + path));
        changes.routes().keySet().forEach(path -> routes.add("POST " + path));
        return routes;
    }

    Series series() {
        return series;
    }
}
