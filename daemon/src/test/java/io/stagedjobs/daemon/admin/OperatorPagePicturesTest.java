package io.stagedjobs.daemon.admin;

import io.stagedjobs.enqueuer.assembly.DoctorAssembly;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.openqa.selenium.OutputType;

/**
 * Takes the pictures of docs/operations.md: {@code -Dscreenshots=docs}. An enqueuer works on real servers meanwhile.
 * Only the hour before is made up.
 */
@EnabledIfSystemProperty(named = "screenshots", matches = "docs")
class OperatorPagePicturesTest {

    private static final Path IMAGES = Path.of("../docs/images");
    private static final List<String> TOPICS = List.of("orders", "invoices", "mails", "stock.changes");

    private static final String HOUR = """
            const ask = window.fetch;
            const end = Date.now();
            const past = [...Array(352).keys()].map(i => {
              const wave = Math.sin(i / 9) + Math.sin(i / 3.7) + Math.sin(i * i);
              const burst = Math.exp(-(((i / 352 - 0.55) / 0.05) ** 2));
              const rest = Math.exp(-(((i / 352 - 0.6) / 0.06) ** 2));
              return {
                at: new Date(end - (352 - i) * 10000).toISOString(),
                backlog: Math.max(0, Math.round(14 + 6 * wave + 5200 * rest)),
                oldestAgeSeconds: 0.1 + 0.02 * wave + 8 * rest,
                stagedPerSecond: 205 + 11 * wave + 520 * burst,
                publishedPerSecond: 203 + 9 * wave + 300 * burst + 260 * rest,
                latencyP50Seconds: 0.016 + 0.002 * wave + 1.8 * rest,
                latencyP99Seconds: 0.061 + 0.008 * wave + 3.6 * rest,
              };
            });
            window.fetch = async (path, options) => {
              const answer = await ask(path, options);
              if (!answer.ok || !String(path).includes('overview')) return answer;
              const overview = await answer.json();
              const points = overview.series.points;
              const first = points.length ? points[0].at : '9';
              overview.series.points = [...past.filter(point => point.at < first), ...points];
              return new Response(JSON.stringify(overview), {status: 200});
            };
            """;

    private ApiScene api;
    private Browser browser;
    private final AtomicBoolean busy = new AtomicBoolean(true);

    /** Two hundred jobs a second, as an application stages them. */
    private void stage() {
        while (busy.get()) {
            api.outbox
                    .dsl()
                    .execute("INSERT INTO staged_jobs (topic, job_key, job_name, payload) SELECT"
                            + " (ARRAY['orders','orders','invoices','mails','stock.changes'])[1 + n % 5],"
                            + " (random() * 1000)::int::text, 'order.placed', '{\"n\": 1}'"
                            + " FROM generate_series(1, 20) AS n");
            try {
                Thread.sleep(100); // the pace of the application
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void stageWhatIsMovedAside() {
        api.outbox
                .dsl()
                .execute("INSERT INTO staged_jobs (topic, job_key, job_name, payload) SELECT 'invoices',"
                        + " 'invoice ' || 40000 + n, 'invoice.rendered', convert_to((SELECT"
                        + " string_agg(md5(random()::text), '') FROM generate_series(1, 1000 + n)), 'UTF8')"
                        + " FROM generate_series(1, 23) AS n");
        api.outbox
                .dsl()
                .execute("INSERT INTO staged_jobs (topic, job_key, job_name, payload) SELECT 'shipments',"
                        + " 'parcel ' || 7000 + n, 'shipment.announced', '{\"parcel\": 7}'"
                        + " FROM generate_series(1, 64) AS n");
    }

    private void picture(String name, String part) throws IOException {
        Files.createDirectories(IMAGES);
        Files.write(
                IMAGES.resolve(name + ".png"),
                part.isEmpty()
                        ? browser.driver.getScreenshotAs(OutputType.BYTES)
                        : browser.find(part).getScreenshotAs(OutputType.BYTES));
    }

    @Test
    @SuppressWarnings("try") // it works until it is closed
    void the_pictures_of_the_manual_are_taken() throws Exception {
        TestKafka kafka = TestKafka.shared();
        for (String topic : TOPICS) {
            kafka.createTopic(topic, 3, topic.equals("invoices") ? Map.of("max.message.bytes", "10000") : Map.of());
        }
        browser = new Browser();
        api = new ApiScene(
                new Tokens(() -> Optional.of(ApiScene.OPERATOR), Optional::empty), new AdminServer.Budgets(), kafka);
        api.doctor = () -> DoctorAssembly.doctor(api.settings).examine();
        Thread application = new Thread(this::stage, "application");
        try (EnqueuerAssembly enqueuer = new EnqueuerAssembly(api.settings, api.health, api.registry)) {
            enqueuer.start();
            application.start();
            browser.driver.executeCdpCommand("Page.addScriptToEvaluateOnNewDocument", Map.of("source", HOUR));
            browser.size(1360, 940, false);
            browser.driver.get("http://127.0.0.1:" + api.port + "/");
            browser.type("token", ApiScene.OPERATOR);
            browser.press("use-token");
            browser.await("rates are known", () -> browser.text("rate-out").matches("[1-9].*"));
            browser.await("latencies are known", () -> browser.text("latency").contains("ms"));
            browser.awaitText("verdict", "OK");
            picture("page-light", "");
            browser.select("theme", "dark");
            picture("page-dark", "");
            browser.size(390, 844, true);
            picture("page-phone", "");
            browser.size(1360, 940, false);
            browser.select("theme", "light");
            stageWhatIsMovedAside();
            Eventually.until("jobs were moved aside", () -> api.outbox.aside().size() == 23 + 64);
            busy.set(false);
            application.join();
            Eventually.until("nothing waits", () -> api.outbox.waiting() == 0);
            browser.awaitText("aside-count", "87 jobs");
            browser.press("show-group");
            browser.await("they are listed", () -> browser.rows("jobs-table").size() > 20);
            browser.press("choose");
            picture("page-moved-aside", "jobs");
            browser.press("look");
            browser.awaitText("sentence", "Only held jobs are left");
            browser.script("window.scrollTo(0, 0)");
            picture("page-fault", "");
            browser.size(1360, 2400, false); // all of it in view: the head of the page would cover a part
            picture("page-checks", "checks");
        } finally {
            busy.set(false);
            api.close();
            browser.close();
        }
    }
}
