package io.stagedjobs.sample;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** A database with the tables of Staged Jobs and of the sample, and the questions that tests ask it. */
final class SampleTables {

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
        new Users(database.dataSource(), Users.TOPIC).createTables();
        return new SampleTables(database);
    }

    int usersWith(String email) {
        return dsl.fetchSingle("SELECT count(*) FROM users WHERE email = ?", email)
                .into(int.class);
    }

    int actionsOf(String email) {
        return dsl.fetchSingle(
                        "SELECT count(*) FROM user_actions a JOIN users u ON u.id = a.user_id WHERE u.email = ?", email)
                .into(int.class);
    }

    int jobsFor(String email) {
        return dsl.fetchSingle(
                        "SELECT count(*) FROM staged_jobs WHERE convert_from(payload, 'UTF8')::jsonb ->> 'email' = ?",
                        email)
                .into(int.class);
    }

    /** Rows of all three tables, to show that nothing at all was kept. */
    int rows() {
        return dsl.fetchSingle("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM user_actions)"
                        + " + (SELECT count(*) FROM staged_jobs)")
                .into(int.class);
    }
}
