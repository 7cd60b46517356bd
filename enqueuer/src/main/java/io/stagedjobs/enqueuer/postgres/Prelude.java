package io.stagedjobs.enqueuer.postgres;

import java.util.List;

/**
 * What travels in front of the first statement of a transaction, in the same message.
 *
 * @param sql statements, each with its semicolon; empty if the session has it all
 * @param statements how many of them, each of which has an answer
 * @param bindings of {@code sql}, in its order
 */
record Prelude(String sql, int statements, List<String> bindings) {
    static final Prelude NONE = new Prelude("", 0, List.of());
}
