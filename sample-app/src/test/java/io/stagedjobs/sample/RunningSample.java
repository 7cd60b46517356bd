package io.stagedjobs.sample;

import io.javalin.Javalin;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;

/** Parts of the sample's service, listening; for tests that put those together themselves. */
final class RunningSample implements AutoCloseable {

    final SampleClient client;
    private final Javalin server;

    RunningSample(Api... apis) {
        this(new PrometheusMeterRegistry(PrometheusConfig.DEFAULT), apis);
    }

    RunningSample(PrometheusMeterRegistry registry, Api... apis) {
        this.server = SampleServer.of(registry, List.of(apis)).start("127.0.0.1", 0);
        this.client = new SampleClient("http://127.0.0.1:" + server.port());
    }

    @Override
    public void close() {
        server.stop();
    }
}
