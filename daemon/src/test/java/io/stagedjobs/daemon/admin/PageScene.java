package io.stagedjobs.daemon.admin;

import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.enqueuer.diagnosis.Diagnosis;
import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import io.stagedjobs.testkit.Eventually;
import java.util.List;
import java.util.Optional;

/** The page of an outbox in a real PostgreSQL, in a real browser; no enqueuer. */
final class PageScene implements AutoCloseable {

    static final Diagnosis WELL = new Diagnosis(
            "Jobs move; the oldest waits for 1 s.",
            List.of(
                    new Finding("jobs", Verdict.OK, "Jobs move; the oldest waits for 1 s", ""),
                    new Finding("old snapshots", Verdict.OK, "nobody keeps vacuum from its work", ""),
                    new Finding("Kafka", Verdict.OK, "3 broker(s) answer", "")));

    static final Diagnosis ILL = new Diagnosis(
            "Nothing moves because an operator paused everything 5 s ago. To go on: staged-jobs resume",
            List.of(
                    new Finding(
                            "topics of jobs",
                            Verdict.WRONG,
                            "topic missing does not exist: its jobs are held",
                            "kafka-topics.sh --bootstrap-server <broker> --create --topic missing"),
                    new Finding("jobs", Verdict.WARNING, "Nothing moves", "To go on: staged-jobs resume"),
                    Finding.notLooked("clocks", "neither PostgreSQL nor Kafka told its time", ""),
                    new Finding("vacuum", Verdict.OK, "staged_jobs: about 7 rows and 5 dead ones in 0.1 MB", "")));

    /** None unless a test sets it. */
    volatile Optional<String> operator = Optional.empty();

    volatile Optional<String> reader = Optional.empty();

    final Browser browser;
    final ApiScene api;

    PageScene() throws Exception {
        browser = new Browser(); // without it nothing else is worth starting
        api = new ApiScene(new Tokens(() -> operator, () -> reader));
        api.health.reached(Origin.POSTGRESQL);
        api.health.reached(Origin.KAFKA);
    }

    String address() {
        return "http://127.0.0.1:" + api.port + "/";
    }

    /** Empties the outbox and makes the browser forget everything. */
    void reset() throws Exception {
        operator = Optional.empty();
        reader = Optional.empty();
        doctor(WELL);
        browser.driver.get(address() + "health/live");
        api.outbox.dsl().execute("TRUNCATE staged_jobs, parked_jobs, staged_job_pauses");
        api.outbox.dsl().execute("UPDATE staged_job_lanes SET owner = NULL");
        api.outbox.dsl().execute("DELETE FROM staged_job_enqueuers");
        Eventually.until("the reading that all share is of the empty outbox", () -> {
            String status = api.get("/api/v1/status").body();
            return status.contains("\"backlog\":0,")
                    && status.contains("\"asideJobs\":0,")
                    && status.contains("\"enqueuers\":[]");
        });
        browser.script("sessionStorage.clear(); localStorage.clear()");
        browser.size(1440, 1000, false);
        browser.dark(false);
        browser.complaints();
    }

    /** What the doctor answers from now on. */
    void doctor(Diagnosis diagnosis) throws Exception {
        api.doctor = () -> diagnosis;
        String begin = "{\"why\":" + ApiScene.JSON.writeValueAsString(diagnosis.why());
        Eventually.until(
                "the reading that all share says so",
                () -> api.get("/api/v1/doctor").body().startsWith(begin));
    }

    /** Opens the page and waits until it shows the outbox as it is now. */
    void open() {
        browser.driver.get(address());
        browser.awaitText("connection", "live");
        browser.awaitText("sentence", ".");
        String waiting = String.valueOf(api.outbox.waiting());
        boolean aside = !api.outbox.aside().isEmpty();
        browser.await(
                "the page shows what there is",
                () -> browser.text("waiting").equals(waiting)
                        && browser.text("aside-count").isEmpty() != aside);
    }

    /** Jobs of every kind, two enqueuers of which one is gone, and a lane that is halted. */
    void fill() {
        fill(120);
    }

    /** @param parked how many jobs are parked */
    void fill(int parked) {
        api.outbox.stage("orders", "a", "order.placed");
        api.outbox.stage("orders", "b", "order.placed");
        api.outbox.stage("mails", null, "mail.sent");
        api.moveAside("parked", "orders", "too large", 1, parked);
        api.moveAside("held", "missing", "topic missing", 1001, 5);
        enqueuer(
                "one",
                "0 s",
                "[{\"place\": \"lane 3\", \"reason\": \"Kafka is ahead\", \"since\": \"2026-01-01T00:00:00Z\"}]");
        enqueuer("two", "1 hour", "[]");
        api.outbox
                .dsl()
                .execute("UPDATE staged_job_lanes SET owner ="
                        + " (SELECT enqueuer FROM staged_job_enqueuers WHERE name = 'one') WHERE lane < 7");
    }

    void enqueuer(String name, String seenAgo, String problems) {
        api.outbox
                .dsl()
                .execute(
                        "INSERT INTO staged_job_enqueuers (enqueuer, name, delivery, seen_at, problems) VALUES"
                                + " (gen_random_uuid(), ?, 'exactly-once', clock_timestamp() - ?::interval, ?::jsonb)",
                        name,
                        seenAgo,
                        problems);
    }

    @Override
    public void close() throws Exception {
        browser.close();
        api.close();
    }
}
