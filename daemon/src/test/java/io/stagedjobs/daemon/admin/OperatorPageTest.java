package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The operator's page in a real browser: what it shows, and what each of its buttons does. */
class OperatorPageTest {

    private static final int WEIGHT_MAX = 200_000;
    private static final int MANY = 100_000;

    private static PageScene page;
    private static Browser browser;
    private static int run;

    @BeforeAll
    static void start() throws Exception {
        page = new PageScene();
        browser = page.browser;
    }

    @BeforeEach
    void reset() throws Exception {
        page.reset();
    }

    @AfterEach
    void count() {
        browser.remember();
        run++;
    }

    @AfterAll
    static void close() throws Exception {
        if (page == null) {
            return;
        }
        page.close();
        boolean all = run
                == Arrays.stream(OperatorPageTest.class.getDeclaredMethods())
                        .filter(method -> method.isAnnotationPresent(Test.class))
                        .count();
        if (all) {
            assertThat(browser.pressed)
                    .as("every button of the page was pressed")
                    .containsAll(browser.buttons);
        }
    }

    private long waiting() {
        return page.api.outbox.waiting();
    }

    private List<String> aside() {
        return page.api.outbox.aside();
    }

    @Test
    void an_empty_outbox_says_so_and_nothing_comes_from_elsewhere() {
        browser.driver.executeCdpCommand("Network.clearBrowserCache", Map.of());
        page.open();
        assertThat(browser.text("topics-none")).contains("No topic has jobs, and none is paused.");
        browser.awaitText("jobs-none", "No job was moved aside.");
        assertThat(browser.text("enqueuers-none")).contains("Start one: staged-jobs run");
        assertThat(browser.text("sentence")).isEqualTo("Jobs move; the oldest waits for 1 s.");
        assertThat(browser.text("verdict")).isEqualTo("OK");
        assertThat(browser.text("waiting")).isEqualTo("0");
        assertThat(browser.text("to-drain-note")).isEqualTo("nothing waits");
        assertThat(browser.rows("lanes-table")).hasSize(8).allMatch(row -> row.contains("free"));
        assertThat(browser.text("no-attention")).isEqualTo("Nothing needs attention.");
        assertThat(browser.loaded()).hasSizeGreaterThan(10).allMatch(from -> from.startsWith(page.address()));
        long bytes = browser.number("performance.getEntries().filter(entry => entry.decodedBodySize"
                + " && !entry.name.includes('/api/')).reduce((sum, entry) => sum + entry.decodedBodySize, 0)");
        System.out.printf(
                "the page has %d bytes; first paint after %d ms%n",
                bytes, browser.number("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"));
        assertThat(bytes).isBetween(60_000L, (long) WEIGHT_MAX);
        assertThat(browser.complaints()).isEmpty();
    }

    @Test
    void a_full_outbox_is_shown_with_all_that_is_wrong_with_it() {
        page.fill();
        page.api.server.series().sample();
        page.api.outbox.stage("orders", "c", "order.placed");
        page.api.server.series().sample();
        page.open();
        browser.awaitText("waiting", "4");
        browser.await("rates are known", () -> !browser.text("rate-in").equals("–"));
        assertThat(browser.text("parked")).isEqualTo("120");
        assertThat(browser.text("held")).isEqualTo("5");
        assertThat(browser.text("aside-count")).isEqualTo("125 jobs");
        assertThat(browser.rows("topics-table"))
                .anyMatch(row -> row.contains("orders") && row.contains("120") && row.contains("too large"))
                .anyMatch(row -> row.contains("missing") && row.contains("held jobs topic missing"));
        assertThat(browser.text("lanes-count")).isEqualTo("7 of 8 owned");
        assertThat(browser.rows("lanes-table"))
                .anyMatch(row -> row.matches("(?s)3 one .*halted for \\d+ d: Kafka is ahead"))
                .anyMatch(row -> row.matches("(?s)7 – .*free.*"));
        assertThat(browser.rows("enqueuers-table"))
                .anyMatch(row -> row.contains("one 7 exactly-once") && row.contains("in trouble lane 3 for"))
                .anyMatch(row -> row.contains("two 0") && row.contains("gone ended without leaving"));
        browser.await(
                "a page of jobs is listed", () -> browser.rows("jobs-table").size() == 50);
        assertThat(browser.script("return document.querySelectorAll('.charts canvas').length"))
                .isEqualTo(4L);
        assertThat(browser.text("chart-backlog-values")).startsWith("waiting ");
        assertThat(browser.complaints()).isEmpty();
    }

    @Test
    void the_doctor_tells_the_cause_first_and_each_fix_can_be_copied() throws Exception {
        page.doctor(PageScene.ILL);
        browser.driver.executeCdpCommand(
                "Browser.grantPermissions",
                Map.of("permissions", List.of("clipboardReadWrite", "clipboardSanitizedWrite")));
        page.open();
        browser.awaitText("sentence", "an operator paused everything");
        assertThat(browser.text("verdict")).isEqualTo("Wrong");
        assertThat(browser.driver.getTitle()).isEqualTo("Wrong · Staged Jobs");
        assertThat(browser.text("checks-count")).isEqualTo("1 wrong · 1 warning · 1 could not look · 1 ok");
        assertThat(browser.text("attention"))
                .contains("topic missing does not exist: its jobs are held", "--create --topic missing")
                .doesNotContain("dead ones");
        assertThat(browser.text("checks-kafka")).contains("topics of jobs").doesNotContain("vacuum");
        assertThat(browser.text("checks-postgresql")).contains("7 rows and 5 dead ones");
        browser.press("copy-fix");
        browser.awaitText("attention", "Copied");
        assertThat(browser.driver.executeAsyncScript("navigator.clipboard.readText().then(arguments[0])"))
                .isEqualTo("kafka-topics.sh --bootstrap-server <broker> --create --topic missing");
        page.doctor(PageScene.WELL);
        browser.press("look");
        browser.awaitText("sentence", "Jobs move");
        assertThat(browser.driver.getTitle()).isEqualTo("Staged Jobs");
        assertThat(browser.complaints()).isEmpty();
    }

    @Test
    void jobs_are_found_by_what_they_have_in_common_and_read_page_by_page() {
        page.fill();
        page.open();
        browser.press("show-group");
        browser.await("the first page", () -> browser.rows("jobs-table").size() == 50);
        assertThat(browser.find("filter-topic").getDomProperty("value")).isEqualTo("orders");
        browser.press("page-next");
        browser.awaitText("page-number", "Page 2");
        browser.press("page-next");
        browser.await("the last page", () -> browser.rows("jobs-table").size() == 20);
        assertThat(browser.find("page-next").isEnabled()).isFalse();
        browser.press("page-before");
        browser.await("the page before", () -> browser.rows("jobs-table").get(0).startsWith("51 "));
        browser.press("filter-clear");
        browser.awaitText("page-number", "Page 1");
        browser.select("filter-state", "held");
        browser.select("filter-reason", "topic missing");
        browser.press("filter-apply");
        browser.await("the held jobs", () -> browser.rows("jobs-table").size() == 5);
        browser.press("filter-clear");
        browser.type("filter-key", "k7");
        browser.press("filter-apply");
        browser.awaitText("filter-error", "key needs topic");
        browser.type("filter-topic", "orders");
        browser.type("filter-name", "order.placed");
        browser.press("filter-apply");
        browser.await("one job", () -> browser.rows("jobs-table").size() == 1);
        browser.type("filter-name", "nothing");
        browser.press("filter-apply");
        browser.awaitText("jobs-none", "No job that was moved aside matches.");
        assertThat(browser.mistakes()).isEmpty();
    }

    @Test
    void a_job_is_opened_and_requeued_or_discarded_once_a_person_has_agreed() {
        page.api.moveAside("parked", "orders", "too large", 1, 3);
        page.open();
        browser.press("open-job");
        assertThat(browser.text("job-fields"))
                .contains("parked: too large", "the broker said no", "k1", "{\"h\": \"v\"}");
        assertThat(browser.text("payload-right")).contains("operator's token only");
        browser.press("close-job");
        browser.press("open-job");
        browser.press("requeue-job");
        browser.awaitText("confirm-title", "Requeue 1 job?");
        browser.press("confirm-no");
        assertThat(waiting()).isZero();
        browser.press("open-job");
        browser.press("requeue-job");
        browser.press("confirm-yes");
        browser.awaitText("notice-words", "Requeued 1 job.");
        browser.await("the list is read again", () -> browser.rows("jobs-table").size() == 2);
        browser.press("dismiss");
        browser.awaitGone("notice");
        assertThat(waiting()).isEqualTo(1);
        browser.press("open-job");
        browser.press("discard-job");
        browser.awaitText("confirm-words", "deleted and never published");
        browser.press("confirm-yes");
        browser.awaitText("notice-words", "Discarded 1 job.");
        assertThat(aside()).hasSize(1);
        assertThat(page.api.audited()).anyMatch(line -> line.contains("jobs=[1 ids: [2]] dryRun=false"));
    }

    @Test
    void chosen_jobs_are_requeued_together_and_the_list_stays_while_a_person_chooses() {
        page.api.moveAside("parked", "orders", "too large", 1, 4);
        page.api.moveAside("held", "missing", "topic missing", 11, 2);
        page.open();
        browser.await("all are listed", () -> browser.rows("jobs-table").size() == 6);
        assertThat(browser.find("requeue").isEnabled()).isFalse();
        browser.press("choose");
        browser.awaitText("chosen", "1 chosen");
        page.api.moveAside("parked", "orders", "too large", 21, 1);
        browser.awaitShown("jobs-news");
        assertThat(browser.rows("jobs-table")).hasSize(6);
        browser.press("jobs-again");
        browser.await("the new one is listed", () -> browser.rows("jobs-table").size() == 7);
        browser.press("choose-page");
        browser.awaitText("chosen", "7 chosen");
        browser.press("requeue");
        browser.awaitText("confirm-title", "Requeue 5 jobs?");
        browser.press("confirm-yes");
        browser.awaitText("notice-words", "Requeued 5 jobs.");
        browser.await("the held ones are left", () -> browser.rows("jobs-table").size() == 2);
        browser.press("choose-all");
        browser.press("requeue");
        browser.awaitText("notice-words", "held jobs return by themselves");
        assertThat(waiting()).isEqualTo(5);
        assertThat(browser.complaints()).isEmpty();
    }

    @Test
    void a_number_that_has_changed_meanwhile_is_not_acted_on() {
        page.api.moveAside("parked", "orders", "too large", 1, 4);
        page.open();
        browser.awaitShown("choose-all");
        browser.press("choose-all");
        browser.press("discard");
        browser.awaitText("confirm-title", "Discard 4 jobs?");
        page.api.moveAside("parked", "orders", "too large", 21, 1);
        browser.press("confirm-yes");
        browser.awaitText("notice-words", "expected is 4, but it would be 5 jobs now; nothing was changed");
        assertThat(aside()).hasSize(5);
    }

    @Test
    void a_hundred_thousand_parked_jobs_are_looked_at_and_discarded_after_their_number_was_typed() {
        page.api.moveAside("parked", "orders", "too large", 1, MANY);
        long begun = System.nanoTime();
        page.open();
        browser.await(
                "a page of them is listed", () -> browser.rows("jobs-table").size() == 50);
        System.out.printf("the page shows %d parked jobs after %d ms%n", MANY, (System.nanoTime() - begun) / 1_000_000);
        assertThat(browser.text("aside-count")).containsPattern("\\d,\\d\\d\\d jobs");
        browser.press("page-next");
        browser.await("the next page", () -> browser.rows("jobs-table").get(0).startsWith("51 "));
        browser.press("choose-all");
        browser.press("discard");
        browser.awaitText("confirm-title", "Discard 100,000 jobs?");
        browser.press("confirm-yes");
        assertThat(browser.isShown("confirm")).as("its number is missing").isTrue();
        browser.type("confirm-typed-input", "100001");
        browser.press("confirm-yes");
        assertThat(browser.isShown("confirm")).as("its number is wrong").isTrue();
        browser.type("confirm-typed-input", "100000");
        browser.press("confirm-yes");
        browser.awaitText("notice-words", "Discarded 100,000 jobs.");
        browser.awaitText("jobs-none", "No job was moved aside.");
        assertThat(aside()).isEmpty();
        assertThat(browser.complaints()).isEmpty();
    }

    @Test
    void everything_and_single_topics_are_paused_and_resumed() {
        page.api.outbox.stage("orders", "a", "order.placed");
        page.open();
        browser.press("pause-everything");
        browser.awaitText("confirm-title", "Pause everything?");
        browser.press("confirm-yes");
        browser.awaitShown("everything-paused");
        browser.press("resume-everything");
        browser.press("confirm-yes");
        browser.awaitGone("everything-paused");
        browser.press("pause-topic");
        browser.awaitText("confirm-title", "Pause topic orders?");
        browser.press("confirm-yes");
        browser.awaitText("notice-words", "Paused topic orders.");
        browser.press("resume-topic");
        browser.press("confirm-yes");
        browser.awaitText("notice-words", "Resumed topic orders.");
        browser.type("pause-topic-name", "later");
        browser.press("pause-other");
        browser.press("confirm-yes");
        browser.await("the topic without jobs is listed", () -> browser.rows("topics-table").stream()
                .anyMatch(row -> row.contains("later") && row.contains("paused")));
        browser.press("pause-other");
        browser.awaitText("notice-words", "topic later was paused already");
        assertThat(browser.complaints()).isEmpty();
    }

    @Test
    void the_read_only_token_looks_and_the_operators_changes_and_sees_payloads_as_text() {
        page.api.moveAside("parked", "orders", "too large", 1, 1);
        page.api.outbox.dsl().execute("UPDATE parked_jobs SET payload = convert_to('<b>x</b>' || chr(8238), 'UTF8')");
        page.operator = Optional.of(ApiScene.OPERATOR);
        page.reader = Optional.of(ApiScene.READER);
        browser.driver.get(page.address());
        browser.type("token", "not-the-right-token");
        browser.press("use-token");
        browser.awaitText("token-error", "does not know this token");
        assertThat(browser.isShown("figures")).isFalse();
        browser.type("token", ApiScene.READER);
        browser.press("use-token");
        browser.awaitText("role", "read-only");
        browser.await("the job is listed", () -> browser.rows("jobs-table").size() == 1);
        for (String change : List.of("pause-everything", "pause-form", "pause-topic", "requeue", "discard", "choose")) {
            assertThat(browser.isShown(change)).as(change).isFalse();
        }
        browser.press("open-job");
        for (String change : List.of("requeue-job", "discard-job", "show-payload")) {
            assertThat(browser.isShown(change)).as(change).isFalse();
        }
        assertThat(browser.driver.executeAsyncScript("fetch('api/v1/pause', {method: 'POST', body:"
                        + " '{\"everything\": true}', headers: {'Content-Type': 'application/json',"
                        + " Authorization: 'Bearer " + ApiScene.READER
                        + "'}}).then(answer => arguments[0](answer.status))"))
                .isEqualTo(403L);
        browser.press("close-job");
        browser.press("forget-token");
        browser.type("token", ApiScene.OPERATOR);
        browser.press("use-token");
        browser.awaitText("role", "operator");
        browser.driver.navigate().refresh();
        browser.awaitText("role", "operator");
        browser.press("open-job");
        browser.press("show-payload");
        browser.awaitText("payload", "<b>x</b>⟨U+202E⟩");
        browser.press("close-job");
        assertThat(browser.mistakes()).isEmpty();
    }
}
