package io.stagedjobs.sample;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import java.util.Map;
import org.apache.kafka.common.KafkaException;

/**
 * {@code GET /audit}: what an {@link Auditor} finds, that reads all users' actions and all records about them anew; 503 if Kafka
 * does not let it.
 */
final class AuditApi implements Api {

    private final Auditor auditor;

    AuditApi(Auditor auditor) {
        this.auditor = auditor;
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.get("/audit", this::audit);
    }

    private void audit(Context ctx) {
        try {
            AuditReport report = auditor.audit();
            ctx.json(Map.of("passed", report.passed(), "summary", report.summary()));
        } catch (KafkaException | IllegalStateException e) {
            throw new RequestFailedException(
                    HttpStatus.SERVICE_UNAVAILABLE,
                    "Could not read all records: " + e.getMessage() + ". Nothing was compared. Try again.",
                    e);
        }
    }
}
