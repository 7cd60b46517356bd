package io.stagedjobs.benchmarks;

import java.util.List;
import java.util.Set;

/** The relays that can be measured. */
final class Relays {

    /** What a tree of this project brings along. */
    static final Set<String> OF_A_BUILD = Set.of(NoRelay.LABEL, "at-least-once", "exactly-once");

    private static final List<Relay> OTHERS =
            List.of(new TextbookRelay(), new DebeziumRelay(), new GruelboxRelay(), new NamastackRelay());

    private Relays() {}

    static Relay of(String name, Build build) {
        if (OF_A_BUILD.contains(name)) {
            return name.equals(NoRelay.LABEL) ? new NoRelay(build) : new EnqueuerRelay(name, build);
        }
        return OTHERS.stream()
                .filter(relay -> relay.label().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no such relay: " + name + "; there are " + OF_A_BUILD
                        + " and " + OTHERS.stream().map(Relay::label).toList()));
    }
}
