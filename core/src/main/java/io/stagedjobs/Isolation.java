package io.stagedjobs;

/** The transaction isolation levels of PostgreSQL, weakest first (chapter "Transaction Isolation"). */
public enum Isolation {
    READ_COMMITTED,
    REPEATABLE_READ,
    SERIALIZABLE;

    String sql() {
        return name().replace('_', ' ');
    }
}
