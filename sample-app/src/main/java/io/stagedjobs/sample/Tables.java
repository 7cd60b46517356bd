package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Objects;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** The sample's own tables, as {@code schema.sql} has them. */
final class Tables {

    private static final String SCHEMA = "schema.sql";

    // spotless:off
    private static final String ALL_EXIST = "SELECT bool_and(to_regclass(name) IS NOT NULL)"
            + " FROM unnest(ARRAY['users', 'user_actions', 'orders', 'contracts', 'contract_items']) AS name";
    // spotless:on

    private Tables() {}

    /** Creates them where they are missing; many processes may do so at once. */
    static void create(DataSource dataSource) {
        DSLContext dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        // Looking first lets a role that may not create anything use tables that somebody made for it.
        if (dsl.fetchSingle(ALL_EXIST).into(boolean.class)) {
            return;
        }
        dsl.transaction(transaction -> {
            // IF NOT EXISTS alone does not keep two sessions from creating the same table at the same time.
            transaction.dsl().execute("SELECT pg_advisory_xact_lock(hashtextextended('staged-jobs sample tables', 0))");
            transaction.dsl().execute(schema());
        });
    }

    private static String schema() {
        try (InputStream in = Objects.requireNonNull(Tables.class.getResourceAsStream(SCHEMA), SCHEMA)) {
            return new String(in.readAllBytes(), UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
