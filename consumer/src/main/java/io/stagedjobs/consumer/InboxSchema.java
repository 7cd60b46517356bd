package io.stagedjobs.consumer;

import io.stagedjobs.schema.Migrations;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.SchemaException;
import java.sql.Connection;
import java.util.List;
import org.jooq.exception.DataAccessException;

/**
 * The tables of the {@link Inbox}, which belong into the database of the consumer's effects. Flyway can apply the same
 * files, from the location {@code classpath:io/stagedjobs/consumer/db}.
 */
public final class InboxSchema {

    private static final Migrations MIGRATIONS = new Migrations(
            InboxSchema.class,
            List.of("V001__inbox.sql"),
            "inbox_schema",
            "the tables of the inbox",
            "staged-jobs migrate --inbox");

    private InboxSchema() {}

    /** The newest version that this software knows. */
    public static int versionKnown() {
        return MIGRATIONS.versionKnown();
    }

    /** The version that is installed in {@code schema}, 0 if there is none. */
    public static int version(Connection connection, Schema schema) {
        return MIGRATIONS.version(connection, schema);
    }

    /**
     * Requires that the installed version is the one that this software knows.
     *
     * @throws SchemaException if it is not; the message says what to do
     */
    public static void requireCurrent(Connection connection, Schema schema) {
        MIGRATIONS.requireCurrent(connection, schema);
    }

    /**
     * Installs or upgrades the tables, in one transaction of its own. Many processes may call this at once.
     *
     * @param connection a connection without an open transaction, whose role may create objects; stays open
     * @return the number of applied migrations, 0 if the tables were current
     * @throws SchemaException if the installed version is newer than this software, or the server cannot hold the
     *     tables
     * @throws DataAccessException if the database refuses; nothing was changed
     */
    public static int migrate(Connection connection, Schema schema) {
        return MIGRATIONS.apply(connection, schema);
    }
}
