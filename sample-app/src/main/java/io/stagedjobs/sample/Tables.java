package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.jooq.impl.DSL.name;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.OffsetDateTime;
import java.util.Objects;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/** The sample's own tables, as {@code schema.sql} defines them. With more tables, let jOOQ generate this class. */
final class Tables {

    static final Table<Record> USERS = table("users");
    static final Field<Long> USER_ID = field(USERS, "id", SQLDataType.BIGINT);
    static final Field<String> USER_EMAIL = field(USERS, "email", SQLDataType.CLOB);
    static final Field<String> USER_NAME = field(USERS, "name", SQLDataType.CLOB);
    static final Field<OffsetDateTime> USER_CREATED_AT = field(USERS, "created_at", SQLDataType.TIMESTAMPWITHTIMEZONE);

    static final Table<Record> ACTIONS = table("user_actions");
    static final Field<Long> ACTION_ID = field(ACTIONS, "id", SQLDataType.BIGINT);
    static final Field<Long> ACTION_USER = field(ACTIONS, "user_id", SQLDataType.BIGINT);
    static final Field<String> ACTION_NAME = field(ACTIONS, "action", SQLDataType.CLOB);

    static final Table<Record> ORDERS = table("orders");
    static final Field<String> ORDER_ID = field(ORDERS, "id", SQLDataType.CLOB);
    static final Field<Long> ORDER_AMOUNT = field(ORDERS, "amount_cents", SQLDataType.BIGINT);
    static final Field<Long> ORDER_BUYER = field(ORDERS, "buyer_id", SQLDataType.BIGINT);
    static final Field<OffsetDateTime> ORDER_COMPLETED_AT =
            field(ORDERS, "completed_at", SQLDataType.TIMESTAMPWITHTIMEZONE);

    static final Table<Record> CONTRACTS = table("contracts");
    static final Field<String> CONTRACT_ID = field(CONTRACTS, "id", SQLDataType.CLOB);
    static final Field<String> CONTRACT_CUSTOMER = field(CONTRACTS, "customer", SQLDataType.CLOB);
    static final Field<String> CONTRACT_CURRENCY = field(CONTRACTS, "currency", SQLDataType.CLOB);
    static final Field<String> CONTRACT_HEADER_ETAG = field(CONTRACTS, "header_etag", SQLDataType.CLOB);
    static final Field<String> CONTRACT_ITEMS_ETAG = field(CONTRACTS, "items_etag", SQLDataType.CLOB);
    static final Field<OffsetDateTime> CONTRACT_AGGREGATED_AT =
            field(CONTRACTS, "aggregated_at", SQLDataType.TIMESTAMPWITHTIMEZONE);

    static final Table<Record> ITEMS = table("contract_items");
    static final Field<String> ITEM_CONTRACT = field(ITEMS, "contract_id", SQLDataType.CLOB);
    static final Field<Integer> ITEM_POSITION = field(ITEMS, "position", SQLDataType.INTEGER);
    static final Field<String> ITEM_DESCRIPTION = field(ITEMS, "description", SQLDataType.CLOB);
    static final Field<Long> ITEM_AMOUNT = field(ITEMS, "amount_cents", SQLDataType.BIGINT);

    private static final String SCHEMA = "schema.sql";

    // spotless:off
    private static final String ALL_EXIST = "SELECT bool_and(to_regclass(name) IS NOT NULL)"
            + " FROM unnest(ARRAY['users', 'user_actions', 'orders', 'contracts', 'contract_items']) AS name";
    // spotless:on

    private Tables() {}

    /** Creates the tables that are missing; many processes may do so at once. */
    static void create(DataSource dataSource) {
        DSLContext dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        // Checking first lets a role without the right to create objects use existing tables.
        if (dsl.fetchSingle(ALL_EXIST).into(boolean.class)) {
            return;
        }
        dsl.transaction(transaction -> {
            // IF NOT EXISTS alone does not keep two sessions from creating the same table at the same time.
            transaction.dsl().execute("SELECT pg_advisory_xact_lock(hashtextextended('staged-jobs sample tables', 0))");
            transaction.dsl().execute(schema());
        });
    }

    private static Table<Record> table(String table) {
        return DSL.table(name(table));
    }

    private static <T> Field<T> field(Table<Record> table, String column, DataType<T> type) {
        return DSL.field(table.getQualifiedName().append(column), type);
    }

    private static String schema() {
        try (InputStream in = Objects.requireNonNull(Tables.class.getResourceAsStream(SCHEMA), SCHEMA)) {
            return new String(in.readAllBytes(), UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
