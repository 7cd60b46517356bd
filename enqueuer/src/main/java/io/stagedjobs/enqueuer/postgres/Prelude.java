package io.stagedjobs.enqueuer.postgres;

import java.util.List;

/**
 * The statements in front of the first statement of a transaction, in the same message.
 *
 * @param sql the statements, each with its semicolon; empty if the session already has all settings
 * @param statements their number; each has a result
 * @param bindings the parameters of {@code sql}, in their order
 */
record Prelude(String sql, int statements, List<String> bindings) {
    static final Prelude NONE = new Prelude("", 0, List.of());
}
