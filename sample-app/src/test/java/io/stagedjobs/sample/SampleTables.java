package io.stagedjobs.sample;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** A database with the tables of Staged Jobs and of the sample, and the questions that tests ask it. */
final class SampleTables {

    private static final List<String> ALL = List.of(
            "users",
            "user_actions",
            "orders",
            "contracts",
            "contract_items",
            "staged_jobs",
            "staged_job_idempotency_keys");

    final TestDatabase database;
    final DSLContext dsl;

    private SampleTables(TestDatabase database) {
        this.database = database;
        this.dsl = DSL.using(database.dataSource(), SQLDialect.POSTGRES);
    }

    static SampleTables createIn(TestPostgres postgres) {
        TestDatabase database = postgres.newDatabase("sample");
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
        Tables.create(database.dataSource());
        return new SampleTables(database);
    }

    int usersWith(String email) {
        return count("users WHERE email = ?", email);
    }

    int actionsOf(String email) {
        return count("user_actions a JOIN users u ON u.id = a.user_id WHERE u.email = ?", email);
    }

    int jobsFor(String email) {
        return count("staged_jobs WHERE convert_from(payload, 'UTF8')::jsonb ->> 'email' = ?", email);
    }

    /** The names of the jobs that are staged with this key, in their order. */
    List<String> jobsOfKey(String key) {
        return dsl.fetch("SELECT job_name FROM staged_jobs WHERE job_key = ? ORDER BY id", key)
                .getValues(0, String.class);
    }

    /** Every row of all tables, to show that nothing at all was changed. */
    Map<String, String> contents() {
        Map<String, String> contents = new LinkedHashMap<>();
        for (String table : ALL) {
            contents.put(
                    table,
                    dsl.fetchSingle("SELECT coalesce(string_agg(t::text, '; ' ORDER BY t::text), '') FROM " + table
                                    + " AS t")
                            .into(String.class));
        }
        return contents;
    }

    /** Returns when a transaction of this database waits for a lock that another one holds. */
    void awaitOneThatWaitsForALock() throws Exception {
        Eventually.until(
                "a transaction waits for a lock",
                () -> count("pg_stat_activity WHERE datname = current_database() AND wait_event_type = ?", "Lock") > 0);
    }

    private int count(String from, String parameter) {
        return dsl.fetchSingle("SELECT count(*) FROM " + from, parameter).into(int.class);
    }
}
