package io.stagedjobs.sample;

import io.javalin.Javalin;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;

/**
 * The web server: the parts of the service, and {@code GET /metrics} for Prometheus. Errors are answered as {@link
 * ErrorAnswers} says.
 */
final class SampleServer {

    private static final String METRICS_FORMAT = "text/plain; version=0.0.4; charset=utf-8";

    private SampleServer() {}

    /** A server that is not started yet. */
    static Javalin of(PrometheusMeterRegistry registry, List<Api> apis) {
        return Javalin.create(config -> {
            config.startup.showJavalinBanner = false;
            config.startup.showOldJavalinVersionWarning = false;
            config.http.prefer405over404 = true;
            config.routes.get("/metrics", ctx -> ctx.contentType(METRICS_FORMAT).result(registry.scrape()));
            apis.forEach(api -> api.addTo(config.routes));
            new ErrorAnswers().addTo(config.routes);
        });
    }
}
