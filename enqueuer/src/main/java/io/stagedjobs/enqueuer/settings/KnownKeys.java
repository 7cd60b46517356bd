package io.stagedjobs.enqueuer.settings;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** The keys that can be given: those of our own settings, and those of the properties that pass through. */
final class KnownKeys {

    private static final Map<String, Setting<?>> OURS =
            Setting.ALL.stream().collect(Collectors.toMap(Setting::key, setting -> setting));

    private final Passthrough passthrough;

    KnownKeys(Passthrough passthrough) {
        this.passthrough = passthrough;
    }

    /** Why this cannot be given; empty if it can. */
    Optional<String> refusal(Given given) {
        String fixed =
                passthrough.property(given.key()).map(passthrough.fixed()::get).orElse(null);
        if (fixed != null) {
            return Optional.of("setting " + given.place() + " cannot be changed: " + fixed);
        }
        return isKnown(given.key())
                ? Optional.empty()
                : Optional.of("unknown setting " + given.placeAndKey() + ". The nearest known one is "
                        + given.spelling().apply(nearest(given.key())) + ".");
    }

    private boolean isKnown(String key) {
        return takes(key) || (SecretFiles.isFile(key) && isSecret(SecretFiles.secretOf(key)));
    }

    private boolean takes(String key) {
        return OURS.containsKey(key)
                || passthrough
                        .property(key)
                        .filter(passthrough.known()::contains)
                        .isPresent();
    }

    private boolean isSecret(String key) {
        Setting<?> ours = OURS.get(key);
        return ours != null
                ? ours.secret()
                : passthrough.property(key).filter(passthrough.isSecret()).isPresent();
    }

    private String nearest(String key) {
        Set<String> candidates = new TreeSet<>(OURS.keySet());
        if (key.startsWith(passthrough.prefix())) {
            passthrough.known().stream()
                    .filter(property -> !passthrough.fixed().containsKey(property))
                    .forEach(property -> candidates.add(passthrough.prefix() + property));
        }
        return NearestName.of(key, candidates);
    }

    /** As it is given on the command line, where the properties that pass through have a flag in common. */
    String flag(String key) {
        return passthrough
                .property(key)
                .filter(property -> !OURS.containsKey(key))
                .map(property -> passthrough.flag() + " " + property + "=…")
                .orElseGet(() -> Setting.flag(key));
    }
}
