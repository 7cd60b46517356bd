package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.Keys;
import org.openqa.selenium.interactions.Actions;

/** The operator's page for everybody and in every condition: contrast, keyboard, phone, harmful names, an outage. */
class OperatorPageConditionsTest {

    private static final int STOPS_MAX = 150;
    private static final int PHONE_WIDTH = 360;

    private static PageScene page;
    private static Browser browser;

    @BeforeAll
    static void start() throws Exception {
        page = new PageScene();
        browser = page.browser;
    }

    @BeforeEach
    void reset() throws Exception {
        page.reset();
    }

    @AfterAll
    static void close() throws Exception {
        if (page != null) {
            page.close();
        }
    }

    /** What a database may hold that its owner has written by hand. */
    private void fillWithHarm() {
        page.fill(5);
        page.api.moveAside("parked", "\"><img src=x onerror=hacked=1>", "too large", 2001, 1);
        page.api.moveAside("parked", "t".repeat(249), "refused", 2002, 1);
        page.api.moveAside("held", "</td><script>hacked=1</script>", "<svg onload=hacked=1>", 2003, 1);
        page.api
                .outbox
                .dsl()
                .execute("UPDATE parked_jobs SET job_key = chr(8238) || 'gnp.exe' || chr(7) || repeat('k', 4000),"
                        + " job_name = '<a href=\"javascript:hacked=1\">' || chr(8203) || '</a>',"
                        + " error = '&lt;<b>'' \"'"
                        + " || chr(10) || chr(8232), headers = '{\"<h>\": \"\\u202e\"}' WHERE id > 2000");
        page.api.outbox.stage("s".repeat(249), "a", "n".repeat(255));
        page.enqueuer(
                "<script>hacked=1</script>\u202e",
                "0 s",
                "[{\"place\": \"<i>\", \"reason\": \"\\u2066<b>\", \"since\": \"2026-01-01T00:00:00Z\"}]");
    }

    private void openWithJobs() {
        page.open();
        browser.await("jobs are listed", () -> !browser.rows("jobs-table").isEmpty());
    }

    @Test
    void contrast_labels_and_structure_are_sound_in_light_and_dark() throws Exception {
        fillWithHarm();
        page.doctor(PageScene.ILL);
        openWithJobs();
        assertThat(browser.violations()).isEmpty();
        browser.select("theme", "dark");
        assertThat(browser.violations()).isEmpty();
        browser.press("open-job");
        assertThat(browser.violations()).isEmpty();
        browser.press("discard-job");
        browser.awaitShown("confirm");
        assertThat(browser.violations()).isEmpty();
        browser.press("confirm-no");
        browser.select("theme", "light");
        browser.press("open-job");
        assertThat(browser.violations()).isEmpty();
    }

    @Test
    void the_form_for_a_token_and_an_outage_are_sound_too() throws Exception {
        page.operator = Optional.of(ApiScene.OPERATOR);
        browser.driver.get(page.address());
        browser.awaitShown("sign-in");
        assertThat(browser.violations()).isEmpty();
        page.operator = Optional.empty();
        page.open();
        page.api.server.close();
        try {
            browser.awaitShown("outage");
            assertThat(browser.violations()).isEmpty();
        } finally {
            page.api.openAgain();
        }
    }

    @Test
    void the_theme_is_the_systems_unless_another_one_is_chosen_which_is_remembered() {
        page.open();
        String ground = "return getComputedStyle(document.body).backgroundColor";
        String light = (String) browser.script(ground);
        browser.dark(true);
        browser.await("the page is dark", () -> !light.equals(browser.script(ground)));
        browser.select("theme", "light");
        assertThat(browser.script(ground)).isEqualTo(light);
        browser.driver.navigate().refresh();
        browser.awaitText("connection", "live");
        assertThat(browser.script(ground)).isEqualTo(light);
        browser.select("theme", "system");
        assertThat(browser.script(ground)).isNotEqualTo(light);
    }

    @Test
    void a_phone_shows_everything_without_scrolling_sideways() throws Exception {
        fillWithHarm();
        page.doctor(PageScene.ILL);
        browser.size(PHONE_WIDTH, 740, true);
        openWithJobs();
        assertThat(browser.number("document.documentElement.scrollWidth")).isEqualTo(PHONE_WIDTH);
        assertThat(browser.violations()).isEmpty();
        browser.press("open-job");
        assertThat(browser.number("document.getElementById('job').scrollWidth")).isLessThanOrEqualTo(PHONE_WIDTH);
        assertThat(browser.number("document.documentElement.scrollWidth")).isEqualTo(PHONE_WIDTH);
    }

    @Test
    void what_means_harm_is_text_and_what_would_not_be_seen_is_shown() {
        fillWithHarm();
        page.open();
        browser.type("filter-topic", "t".repeat(249));
        browser.press("filter-apply");
        browser.await("the job is found", () -> browser.rows("jobs-table").size() == 1);
        assertThat(browser.text("jobs-table"))
                .contains("U+202Egnp.exeU+0007kkk", "&lt;<b>' \"U+000AU+2028")
                .contains("<a href=\"javascript:hacked=1\">U+200B</a>");
        browser.press("open-job");
        assertThat(browser.text("job-fields")).contains("\"<h>\": \"U+202E\"", "t".repeat(249));
        browser.press("close-job");
        assertThat(browser.text("groups-table"))
                .contains("\"><img src=x onerror=hacked=1>", "</td><script>hacked=1</script>", "<svg onload=hacked=1>");
        assertThat(browser.text("enqueuers-table")).contains("<script>hacked=1</script>U+202E", "<i> for", "U+2066<b>");
        assertThat(browser.text("topics-table")).contains("s".repeat(249));
        assertThat(browser.script("return typeof hacked")).isEqualTo("undefined");
        assertThat(browser.number("document.querySelectorAll('main img, main script, main b b, main svg').length"))
                .isZero();
        assertThat(browser.complaints()).isEmpty();
    }

    private void tabTo(String name, boolean backwards) {
        for (int i = 0; i < STOPS_MAX; i++) {
            Actions keys = new Actions(browser.driver);
            (backwards ? keys.keyDown(Keys.SHIFT).sendKeys(Keys.TAB).keyUp(Keys.SHIFT) : keys.sendKeys(Keys.TAB))
                    .perform();
            assertThat(browser.script("const at = document.activeElement; return at === document.body"
                            + " || getComputedStyle(at).outlineStyle !== 'none'"))
                    .as("the focus can be seen")
                    .isEqualTo(true);
            if (name.equals(browser.script(
                    "const at = document.activeElement; return at.dataset.action || at.id || at.className"))) {
                return;
            }
        }
        throw new AssertionError("the keyboard does not get to " + name);
    }

    private void keys(CharSequence... keys) {
        new Actions(browser.driver).sendKeys(keys).perform();
    }

    @Test
    void all_of_it_can_be_done_by_keyboard() {
        page.api.moveAside("parked", "orders", "too large", 1, 3);
        openWithJobs();
        tabTo("skip", false);
        keys(Keys.ENTER);
        assertThat(browser.script("return document.activeElement.id")).isEqualTo("content");
        tabTo("choose", false);
        keys(Keys.SPACE);
        browser.awaitText("chosen", "1 chosen");
        tabTo("requeue", true);
        keys(Keys.ENTER);
        browser.awaitText("confirm-title", "Requeue 1 job?");
        keys(Keys.ENTER);
        browser.awaitText("notice-words", "Requeued 1 job.");
        browser.await("the list is read again", () -> browser.rows("jobs-table").size() == 2);
        tabTo("open-job", false);
        keys(Keys.ENTER);
        browser.awaitShown("job");
        keys(Keys.ESCAPE);
        browser.awaitGone("job");
        assertThat(browser.script("return document.activeElement.dataset.action"))
                .isEqualTo("open-job");
        assertThat(page.api.outbox.waiting()).isEqualTo(1);
    }

    @Test
    void it_says_since_when_the_enqueuer_is_away_and_goes_on_when_it_is_back() throws Exception {
        page.api.outbox.stage("orders", "a", "order.placed");
        page.open();
        page.api.server.close();
        try {
            browser.awaitText("outage", "This page cannot reach the enqueuer since ");
            browser.awaitText("connection", "unreachable");
            assertThat(browser.text("outage")).contains("What you see below is of ");
            assertThat(browser.text("waiting")).isEqualTo("1");
        } finally {
            page.api.openAgain();
        }
        browser.awaitGone("outage");
        browser.awaitText("connection", "live");
        page.api.outbox.dsl().execute("ALTER TABLE staged_job_lanes RENAME TO elsewhere");
        try {
            browser.awaitText("outage", "The enqueuer answers without figures since ");
        } finally {
            page.api.outbox.dsl().execute("ALTER TABLE elsewhere RENAME TO staged_job_lanes");
        }
        browser.awaitGone("outage");
        assertThat(browser.mistakes()).isEmpty();
    }

    @Test
    void nobody_is_asked_while_nobody_looks() {
        page.open();
        browser.script("Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
                + "document.dispatchEvent(new Event('visibilitychange'))");
        browser.awaitText("connection", "paused");
        page.api.outbox.stage("orders", "a", "order.placed");
        assertThat(browser.text("waiting")).isEqualTo("0");
        browser.script("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))");
        browser.awaitText("connection", "live");
        browser.awaitText("waiting", "1");
    }
}
