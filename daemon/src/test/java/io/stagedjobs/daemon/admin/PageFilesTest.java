package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Refusal;
import java.net.http.HttpResponse;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The files of the operator's page, as a browser gets them. */
class PageFilesTest {

    private static final int BYTES_MAX = 200_000;
    private static final Pattern IMPORT = Pattern.compile("from '\\./([a-z]+\\.js)'");
    private static final Pattern REFERENCE = Pattern.compile("(?:href|src)=\"(page/[^\"]+)\"");

    private ApiScene scene;

    @BeforeEach
    void open() throws Exception {
        scene = new ApiScene(ApiScene.BOTH);
    }

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    private static List<String> found(Pattern pattern, String text) {
        return pattern.matcher(text).results().map(hit -> hit.group(1)).toList();
    }

    @Test
    void whoever_reaches_the_port_gets_the_page_and_a_token_is_needed_for_data_only() throws Exception {
        HttpResponse<String> page = scene.get("/");
        assertThat(page.statusCode()).isEqualTo(200);
        assertThat(page.headers().firstValue("Content-Type")).contains("text/html;charset=utf-8");
        assertThat(page.headers().firstValue("Content-Security-Policy").orElseThrow())
                .startsWith("default-src 'none'; script-src 'self'; style-src 'self';")
                .doesNotContain("unsafe");
        List<String> files = found(REFERENCE, page.body());
        assertThat(files).hasSize(6);
        for (String file : files) {
            HttpResponse<String> answer = scene.get("/" + file);
            assertThat(answer.statusCode()).as(file).isEqualTo(200);
            assertThat(answer.headers().firstValue("Content-Type").orElseThrow())
                    .as(file)
                    .isEqualTo(
                            file.endsWith(".js")
                                    ? "text/javascript;charset=utf-8"
                                    : file.endsWith(".css") ? "text/css;charset=utf-8" : "image/svg+xml");
        }
        assertThat(scene.get("/page/uplot.js").body()).contains("uPlot");
        assertThat(scene.get("/page/nothing.js").statusCode()).isEqualTo(404);
        assertThat(scene.get("/page/index.html").statusCode()).isEqualTo(404);
    }

    @Test
    void every_script_that_another_imports_is_served_and_all_together_are_light() throws Exception {
        int bytes = scene.get("/").body().length()
                + scene.get("/page/page.css").body().length()
                + scene.get("/page/uplot.css").body().length()
                + scene.get("/page/uplot.js").body().length();
        List<String> scripts = Stream.concat(
                        Stream.of("page.js", "theme.js"),
                        Stream.of("page.js", "lists.js", "jobs.js", "job.js", "charts.js", "doctor.js")
                                .flatMap(name -> found(IMPORT, PageFiles.text("page/" + name)).stream()))
                .distinct()
                .toList();
        for (String script : scripts) {
            HttpResponse<String> answer = scene.get("/page/" + script);
            assertThat(answer.statusCode()).as(script).isEqualTo(200);
            assertThat(answer.body())
                    .as(script)
                    .doesNotContain("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(");
            bytes += answer.body().length();
        }
        System.out.printf("the page and its %d scripts have %d bytes%n", scripts.size(), bytes);
        assertThat(bytes).isLessThanOrEqualTo(BYTES_MAX);
    }

    @Test
    void a_browser_keeps_a_file_until_it_has_changed() throws Exception {
        for (String path : List.of("/", "/page/page.css", "/page/uplot.js")) {
            HttpResponse<String> first = scene.get(path);
            assertThat(first.headers().firstValue("Cache-Control")).contains("no-cache");
            String tag = first.headers().firstValue("ETag").orElseThrow();
            HttpResponse<String> again = scene.get(path, "If-None-Match", "\"other\", " + tag);
            assertThat(again.statusCode()).as(path).isEqualTo(304);
            assertThat(again.body()).isEmpty();
            assertThat(scene.get(path, "If-None-Match", "W/\"other\"").statusCode())
                    .isEqualTo(200);
        }
    }

    @Test
    void the_page_offers_the_reasons_that_the_enqueuer_gives() {
        Matcher select = Pattern.compile("(?s)<select id=\"filter-reason\">(.*?)</select>")
                .matcher(PageFiles.text("page/index.html"));
        assertThat(select.find()).isTrue();
        assertThat(found(Pattern.compile("<option>([^<]+)</option>"), select.group(1)))
                .containsExactlyElementsOf(Arrays.stream(Refusal.Reason.values())
                        .map(Refusal.Reason::label)
                        .toList());
    }
}
