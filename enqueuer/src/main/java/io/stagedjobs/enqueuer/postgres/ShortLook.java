package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.diagnosis.Finding;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/** Short read-only transactions, which do not disturb the work that goes on. */
final class ShortLook {

    private static final Duration STATEMENT_MAX = Duration.ofSeconds(3);
    private static final Duration LOCKED_MAX = Duration.ofSeconds(1);

    private static final List<String> SETTINGS = List.of(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
            "SET LOCAL search_path = pg_catalog",
            "SET LOCAL statement_timeout = " + STATEMENT_MAX.toMillis(),
            "SET LOCAL lock_timeout = " + LOCKED_MAX.toMillis(),
            // No sequential scan of a table, whatever the statistics say.
            "SET LOCAL enable_seqscan = off",
            "SET LOCAL enable_bitmapscan = off",
            "SET LOCAL jit = off");

    private final DSLContext dsl;

    /** Works on a connection in autocommit mode, which the caller must close. */
    ShortLook(Connection connection) {
        this.dsl = DSL.using(connection, SQLDialect.POSTGRES);
    }

    /** @throws DataAccessException if PostgreSQL refuses, or it takes too long */
    <T> T at(Function<DSLContext, T> question) {
        return dsl.transactionResult(transaction -> {
            SETTINGS.forEach(transaction.dsl()::execute);
            return question.apply(transaction.dsl());
        });
    }

    /** The findings of one check; if it cannot look, that is its finding. */
    List<Finding> check(String name, Function<DSLContext, List<Finding>> check) {
        try {
            return at(check);
        } catch (DataAccessException e) {
            return List.of(notLooked(name, e));
        }
    }

    static Finding notLooked(String check, DataAccessException e) {
        String state = Transactions.said(e) instanceof SQLException sql ? String.valueOf(sql.getSQLState()) : "";
        String fix =
                switch (state) {
                    case "42501" ->
                        "Ask as the enqueuer's role, or grant this one what operations.md lists under \"Roles and"
                                + " grants\"";
                    case "55P03" -> "Somebody has the table locked: see the check \"table locks\"";
                    case "57014" -> "It took longer than " + STATEMENT_MAX.toSeconds() + " s: ask again later";
                    default -> "";
                };
        return Finding.notLooked(
                check, String.valueOf(Transactions.outside("look", e).getMessage()), fix);
    }
}
