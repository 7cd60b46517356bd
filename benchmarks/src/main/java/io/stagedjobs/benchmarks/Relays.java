package io.stagedjobs.benchmarks;

import java.util.List;

/** The relays that can be measured. */
final class Relays {

    static final Relay AT_LEAST_ONCE = new EnqueuerRelay("at-least-once");

    private static final List<Relay> ALL = List.of(
            AT_LEAST_ONCE,
            new EnqueuerRelay("exactly-once"),
            new TextbookRelay(),
            new DebeziumRelay(),
            new GruelboxRelay(),
            new NamastackRelay());

    private Relays() {}

    static Relay of(String label) {
        return ALL.stream()
                .filter(relay -> relay.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no such relay: " + label + "; there are "
                        + ALL.stream().map(Relay::label).toList()));
    }
}
