package io.stagedjobs.daemon.admin;

import io.stagedjobs.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;
import java.util.stream.Stream;
import org.openqa.selenium.By;
import org.openqa.selenium.NoSuchElementException;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.StaleElementReferenceException;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.logging.LogEntry;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;
import org.openqa.selenium.support.ui.Select;
import org.openqa.selenium.support.ui.WebDriverWait;

/** A real Chromium without a window. Parts of a page are named by their id, or by what pressing them does. */
final class Browser implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** How Chromium tells in its console that an answer was an error, or that there was none. */
    private static final String OF_THE_NETWORK = "Failed to load resource";

    private static final String AXE = PageFiles.text("/axe.min.js");

    final ChromeDriver driver;
    private final Path profile;

    /** Buttons that there were, and those that were pressed. */
    final Set<String> buttons = new TreeSet<>();

    final Set<String> pressed = new TreeSet<>();

    Browser() throws IOException {
        Path chromium = Tools.require("chromium");
        Path chromedriver = Tools.require("chromedriver");
        profile = Files.createTempDirectory("chromium-");
        ChromeOptions options = new ChromeOptions();
        options.setBinary(chromium.toFile());
        options.addArguments(
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-extensions",
                "--hide-scrollbars",
                "--lang=en-GB",
                "--window-size=1440,1000",
                "--user-data-dir=" + profile);
        LoggingPreferences logs = new LoggingPreferences();
        logs.enable(LogType.BROWSER, Level.ALL);
        options.setCapability("goog:loggingPrefs", logs);
        driver = new ChromeDriver(
                new ChromeDriverService.Builder()
                        .usingDriverExecutable(chromedriver.toFile())
                        .usingAnyFreePort()
                        .build(),
                options);
    }

    Object script(String body, Object... arguments) {
        return driver.executeScript(body, arguments);
    }

    WebElement find(String name) {
        return driver.findElements(By.cssSelector("[id='" + name + "'], [data-action='" + name + "']")).stream()
                .filter(WebElement::isDisplayed)
                .findFirst()
                .orElseThrow(() -> new NoSuchElementException("nothing that is shown is called " + name));
    }

    boolean isShown(String name) {
        return driver.findElements(By.cssSelector("[id='" + name + "'], [data-action='" + name + "']")).stream()
                .anyMatch(WebElement::isDisplayed);
    }

    String text(String id) {
        return driver.findElement(By.id(id)).getText();
    }

    void await(String what, BooleanSupplier condition) {
        new WebDriverWait(driver, PATIENCE, Duration.ofMillis(50))
                .withMessage(() -> what + "; the page shows: "
                        + driver.findElement(By.tagName("body")).getText())
                .ignoring(StaleElementReferenceException.class, NoSuchElementException.class)
                .until(same -> condition.getAsBoolean());
    }

    void awaitText(String id, String part) {
        await(id + " says " + part, () -> text(id).contains(part));
    }

    void awaitShown(String name) {
        await(name + " is shown", () -> isShown(name));
    }

    void awaitGone(String name) {
        await(name + " is not shown", () -> !isShown(name));
    }

    /** Presses a button that can be pressed, as soon as it can. */
    void press(String name) {
        await(name + " can be pressed", () -> find(name).isEnabled());
        remember();
        WebElement button = find(name);
        script("arguments[0].scrollIntoView({block: 'center'})", button);
        button.click();
        pressed.add(name);
    }

    /** What buttons there are now. */
    @SuppressWarnings("unchecked")
    void remember() {
        buttons.addAll((List<String>)
                script("return [...document.querySelectorAll('button')].map(b => b.dataset.action || b.id)"));
    }

    void type(String id, String text) {
        awaitShown(id);
        WebElement field = find(id);
        field.clear();
        field.sendKeys(text);
    }

    void select(String id, String value) {
        awaitShown(id);
        new Select(find(id))
                .getOptions().stream()
                        .filter(option -> value.equals(option.getDomProperty("value")))
                        .findFirst()
                        .orElseThrow()
                        .click();
    }

    /** The texts of a table's rows. */
    List<String> rows(String id) {
        return driver.findElements(By.cssSelector("#" + id + " tbody tr")).stream()
                .map(WebElement::getText)
                .toList();
    }

    /** What axe-core finds wrong for people who see, hear or move less than others. */
    @SuppressWarnings("unchecked")
    List<String> violations() {
        script(AXE);
        return (List<String>) driver.executeAsyncScript("const done = arguments[0]; axe.run().then(found => done("
                + "found.violations.map(rule => rule.id + ': ' + rule.nodes.map(node => node.html.slice(0, 200) + ' '"
                + " + node.failureSummary).join('; '))), failure => done([String(failure)]))");
    }

    void dark(boolean dark) {
        driver.executeCdpCommand(
                "Emulation.setEmulatedMedia",
                Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", dark ? "dark" : "light"))));
    }

    void size(int width, int height, boolean mobile) {
        driver.executeCdpCommand(
                "Emulation.setDeviceMetricsOverride",
                Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", mobile));
    }

    /** What the console has complained about since this was asked last. */
    List<String> complaints() {
        return driver.manage().logs().get(LogType.BROWSER).getAll().stream()
                .map(LogEntry::getMessage)
                .toList();
    }

    /** As {@link #complaints}, except that an answer was an error or that there was none. */
    List<String> mistakes() {
        return complaints().stream()
                .filter(line -> !line.contains(OF_THE_NETWORK))
                .toList();
    }

    /** Addresses of all that was loaded. */
    @SuppressWarnings("unchecked")
    List<String> loaded() {
        return (List<String>) script("return performance.getEntriesByType('resource').map(entry => entry.name)");
    }

    long number(String script) {
        return ((Number) script("return " + script)).longValue();
    }

    void picture(Path file) throws IOException {
        Files.createDirectories(file.getParent());
        Files.write(file, driver.getScreenshotAs(OutputType.BYTES));
    }

    @Override
    public void close() throws IOException {
        driver.quit();
        try (Stream<Path> files = Files.walk(profile)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
