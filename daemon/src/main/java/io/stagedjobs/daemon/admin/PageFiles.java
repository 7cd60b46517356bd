package io.stagedjobs.daemon.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.javalin.http.Context;
import io.javalin.http.Handler;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The operator's page: its files, from the class path. They hold no data: the page asks the API for what it shows, so
 * that nobody needs a token for the files. Safe for use by many threads.
 */
final class PageFiles {

    private static final String SCRIPT = "text/javascript;charset=utf-8";
    private static final String STYLE = "text/css;charset=utf-8";

    private static final List<String> SCRIPTS = List.of(
            "theme.js",
            "page.js",
            "api.js",
            "text.js",
            "dom.js",
            "charts.js",
            "doctor.js",
            "figures.js",
            "lists.js",
            "jobs.js",
            "job.js",
            "changes.js",
            "notices.js");

    /** A jar of WebJars tells its version in the way that Maven does. */
    private static final String UPLOT_VERSION = "/META-INF/maven/org.webjars.npm/uplot/pom.properties";

    private static final String UPLOT_FILES = "/META-INF/resources/webjars/uplot/";

    /** Browsers keep a file and ask each time whether it has changed: after an upgrade nobody has the old page. */
    private static final String CACHING = "no-cache";

    private static final int TAG_BYTES = 12;

    private record Content(byte[] bytes, String tag) {}

    private final Map<String, Content> read = new ConcurrentHashMap<>();

    /** By path. */
    Map<String, Handler> routes() {
        Map<String, Handler> routes = new LinkedHashMap<>();
        String uplot = UPLOT_FILES + uplotVersion() + "/dist/uPlot";
        routes.put("/", context -> answer(context, "page/index.html", "text/html;charset=utf-8"));
        routes.put("/page/page.css", context -> answer(context, "page/page.css", STYLE));
        routes.put("/page/icon.svg", context -> answer(context, "page/icon.svg", "image/svg+xml"));
        routes.put("/page/uplot.css", context -> answer(context, uplot + ".min.css", STYLE));
        routes.put("/page/uplot.js", context -> answer(context, uplot + ".iife.min.js", SCRIPT));
        SCRIPTS.forEach(name -> routes.put("/page/" + name, context -> answer(context, "page/" + name, SCRIPT)));
        return routes;
    }

    private void answer(Context context, String resource, String type) {
        Content content = read.computeIfAbsent(resource, PageFiles::content);
        context.header("Cache-Control", CACHING);
        context.header("ETag", content.tag);
        String known = context.header("If-None-Match");
        if (known != null && known.contains(content.tag)) {
            context.status(304);
        } else {
            context.contentType(type).result(content.bytes);
        }
    }

    private static Content content(String resource) {
        byte[] bytes = resource(resource);
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(bytes);
            return new Content(bytes, "W/\"" + HexFormat.of().formatHex(hash, 0, TAG_BYTES) + '"');
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }

    private static String uplotVersion() {
        Properties properties = new Properties();
        try {
            properties.load(new ByteArrayInputStream(resource(UPLOT_VERSION)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties.getProperty("version");
    }

    /** A file of the class path, relative to this package unless its name begins with a slash. */
    static byte[] resource(String name) {
        try (InputStream in = PageFiles.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException(name + " is missing from the class path");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As {@link #resource}, as text. */
    static String text(String name) {
        return new String(resource(name), UTF_8);
    }
}
