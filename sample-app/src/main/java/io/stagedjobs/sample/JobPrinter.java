package io.stagedjobs.sample;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Prints each job that arrives: topic, key, type and id on one line, never the payload. */
final class JobPrinter implements Consumer<PublishedJob> {

    private final Consumer<String> out;

    /** @param out takes each line */
    JobPrinter(Consumer<String> out) {
        this.out = out;
    }

    @Override
    public void accept(PublishedJob job) {
        out.accept("%s key=%s %s %s".formatted(job.topic(), shown(job.key()), shown(job.type()), shown(job.id())));
    }

    /** Keys and headers come from anywhere: one line stays one line. */
    private static String shown(@Nullable String text) {
        return text == null ? "-" : text.replaceAll("\\p{Cntrl}", "?");
    }
}
