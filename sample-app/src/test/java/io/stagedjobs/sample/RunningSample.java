package io.stagedjobs.sample;

import io.javalin.Javalin;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.MicrometerUnitListener;
import io.stagedjobs.UnitOfWork;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.function.UnaryOperator;
import javax.sql.DataSource;

/** The sample's service on a database, without consumers and wake-ups. */
final class RunningSample implements AutoCloseable {

    /** Where nobody listens. */
    private static final ContractSource NOWHERE =
            new ContractSource(URI.create("http://127.0.0.1:1"), Duration.ofSeconds(1));

    final SampleClient client;
    private final Javalin server;

    private RunningSample(Javalin server) {
        this.server = server.start("127.0.0.1", 0);
        this.client = new SampleClient("http://127.0.0.1:" + server.port());
    }

    static RunningSample on(DataSource database) {
        return on(database, NOWHERE, unit -> unit, true);
    }

    static RunningSample on(
            DataSource database, ContractSource source, UnaryOperator<UnitOfWork> options, boolean failuresAllowed) {
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        UnitOfWork unit = options.apply(Units.on(database)).listening(new MicrometerUnitListener(registry));
        Services services = Services.on(database, unit, source, Topics.DEFAULT);
        return new RunningSample(new Api(services, registry, failuresAllowed).server(List.of()));
    }

    static RunningSample on(DataSource database, ContractSource source) {
        return on(database, source, unit -> unit, true);
    }

    /** As {@link #on(DataSource)}, where a unit gives up after so many conflicts. */
    static RunningSample on(DataSource database, int attemptsMax, boolean failuresAllowed) {
        return on(database, NOWHERE, unit -> unit.attemptsMax(attemptsMax), failuresAllowed);
    }

    @Override
    public void close() {
        server.stop();
    }
}
