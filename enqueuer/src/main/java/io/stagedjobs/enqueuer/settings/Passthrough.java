package io.stagedjobs.enqueuer.settings;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Predicate;

/**
 * Properties of a client that are set under their own names behind a prefix. The client's package hands this over.
 *
 * @param prefix what stands before the name of a property, its dot included
 * @param known the names of all properties that the client has
 * @param fixed those that cannot be set, each with the reason for the error message
 * @param isSecret whether a property is never printed, and can also be read from a file
 * @param check what is wrong with a property's text, without the text; empty if the client would take it
 * @param notShorterThanBatch numbers of milliseconds that must reach publish.timeout, each with what would happen else
 */
public record Passthrough(
        String prefix,
        Set<String> known,
        Map<String, String> fixed,
        Predicate<String> isSecret,
        BiFunction<String, String, Optional<String>> check,
        Map<String, String> notShorterThanBatch) {

    /** The flag that all of these have in common, for example {@code --kafka}. */
    String flag() {
        return "--" + prefix.substring(0, prefix.length() - 1);
    }

    /** The name of the client's property that has this key, if it is one of these. */
    Optional<String> property(String key) {
        return key.startsWith(prefix) ? Optional.of(key.substring(prefix.length())) : Optional.empty();
    }
}
