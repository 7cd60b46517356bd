package io.stagedjobs;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** A database of its own with the tables installed, for one test class. */
public final class SchemaFixture {

    public final TestDatabase database;

    public SchemaFixture(String prefix) {
        this(TestPostgres.shared().newDatabase(prefix));
    }

    private SchemaFixture(TestDatabase database) {
        this.database = database;
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    public DSLContext dsl() {
        return DSL.using(database.dataSource(), SQLDialect.POSTGRES);
    }

    public HikariDataSource pool(int size) {
        return pool(size, true);
    }

    public HikariDataSource pool(int size, boolean autoCommit) {
        HikariConfig config = new HikariConfig();
        config.setAutoCommit(autoCommit);
        config.setDataSource(database.dataSource());
        config.setMaximumPoolSize(size);
        config.setConnectionTimeout(20_000);
        return new HikariDataSource(config);
    }

    /** Names of the jobs that a new transaction sees, in the order of their positions. */
    public List<String> namesStaged() {
        return dsl().fetch("SELECT job_name FROM staged_jobs ORDER BY id").getValues(0, String.class);
    }

    public void clear() {
        dsl().execute("DELETE FROM staged_jobs");
    }

    /** Makes a table with a column {@code id}; the session that inserts into it ends while it commits. */
    public void createTableThatDiesAtCommit(String table) {
        dsl().execute("CREATE TABLE " + table + " (id int)");
        dsl().execute("CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
                + " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'");
        dsl().execute("CREATE CONSTRAINT TRIGGER die AFTER INSERT ON " + table + " DEFERRABLE INITIALLY DEFERRED"
                + " FOR EACH ROW EXECUTE FUNCTION die()");
    }
}
