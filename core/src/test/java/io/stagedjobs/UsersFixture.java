package io.stagedjobs;

import com.zaxxer.hikari.HikariDataSource;
import java.util.List;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * For tests of units: a {@link SchemaFixture} with a table {@code users} beside the jobs, and a pool of four
 * connections. Each test begins with empty tables.
 */
public final class UsersFixture implements BeforeAllCallback, BeforeEachCallback, AfterAllCallback {

    private static final List<String> TABLES = List.of("users", "staged_jobs", "staged_job_idempotency_keys");

    private final String prefix;
    private final String columns;
    private SchemaFixture schema;
    private HikariDataSource pool;

    /** @param columns of the table, as in CREATE TABLE */
    public UsersFixture(String prefix, String columns) {
        this.prefix = prefix;
        this.columns = columns;
    }

    public SchemaFixture schema() {
        return schema;
    }

    public HikariDataSource pool() {
        return pool;
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        schema = new SchemaFixture(prefix);
        schema.dsl().execute("CREATE TABLE users (" + columns + ")");
        pool = schema.pool(4);
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        TABLES.forEach(table -> schema.dsl().execute("DELETE FROM " + table));
    }

    @Override
    public void afterAll(ExtensionContext context) {
        pool.close();
    }
}
