package io.stagedjobs.schema;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * Numbered SQL files that build the tables of one part of Staged Jobs in a schema, and the table that records which of
 * them were applied. The last statement of each file writes its number there.
 *
 * <p>Immutable, thread-safe. A method that takes a connection uses it only in the calling thread and leaves it open.
 */
public final class Migrations {

    /** SQLSTATEs of objects that already exist: a schema, table, function or trigger, and an entry in a catalog. */
    private static final Set<String> CREATED_BY_ANOTHER = Set.of("42P06", "42P07", "42723", "42710", "23505");

    private static final int SERVER_VERSION_MIN = 14;

    private final Class<?> owner;
    private final List<String> files;
    private final String versions;
    private final String what;
    private final String command;

    /**
     * @param owner the files are in the folder {@code db} beside this class
     * @param files in the order of their numbers
     * @param versions the table that records the applied ones
     * @param what the tables in words, for messages
     * @param command the command that applies the files, for messages
     */
    public Migrations(Class<?> owner, List<String> files, String versions, String what, String command) {
        this.owner = owner;
        this.files = List.copyOf(files);
        this.versions = versions;
        this.what = what;
        this.command = command;
    }

    /** The newest version that this software knows. */
    public int versionKnown() {
        return files.size();
    }

    /** The installed version, 0 if there is none. */
    public int version(Connection connection, Schema schema) {
        return version(DSL.using(connection, SQLDialect.POSTGRES), schema);
    }

    private int version(DSLContext dsl, Schema schema) {
        boolean installed = dsl.fetchSingle("SELECT to_regclass(?) IS NOT NULL", schema.qualified(versions))
                .into(boolean.class);
        return installed
                ? dsl.fetchSingle("SELECT coalesce(max(version), 0) FROM " + schema.qualified(versions))
                        .into(int.class)
                : 0;
    }

    /**
     * Requires that the installed version is the one that this software knows.
     *
     * @throws SchemaException if it is not; the message says what to do
     */
    public void requireCurrent(Connection connection, Schema schema) {
        int version = version(connection, schema);
        if (version == 0) {
            throw new SchemaException("cannot find " + what + " in schema \"" + schema.name()
                    + "\". Nothing was changed. Install them with `" + command + "`, or correct"
                    + " STAGED_JOBS_DATABASE_SCHEMA if they live elsewhere.");
        }
        if (version < versionKnown()) {
            throw new SchemaException("cannot work with schema version " + version + " in \"" + schema.name()
                    + "\": this software needs version " + versionKnown() + ". Nothing was changed. Upgrade it with `"
                    + command + "`.");
        }
        refuseNewer(version, schema);
    }

    private void refuseNewer(int version, Schema schema) {
        if (version > versionKnown()) {
            throw new SchemaException("cannot work with schema version " + version + " in \"" + schema.name()
                    + "\": this software knows versions up to " + versionKnown()
                    + ". Nothing was changed. Run a newer release of Staged Jobs.");
        }
    }

    /**
     * Installs or upgrades the tables, in one transaction of its own. Many processes may call this at once: one of them
     * works, the others wait and find nothing left to do. If the tables are current, it locks nothing.
     *
     * @param connection a connection without an open transaction, whose role may create objects
     * @return the number of applied migrations, 0 if the tables were current
     * @throws SchemaException if the installed version is newer than this software, or the server cannot hold the
     *     tables
     * @throws DataAccessException if the database refuses; nothing was changed
     */
    public int apply(Connection connection, Schema schema) {
        DSLContext dsl = DSL.using(connection, SQLDialect.POSTGRES);
        try {
            return dsl.transactionResult(transaction -> apply(transaction.dsl(), schema));
        } catch (DataAccessException e) {
            if (!CREATED_BY_ANOTHER.contains(e.sqlState())) {
                throw e;
            }
            // Two processes began without tables; the server made this one wait until the other had created them.
            return dsl.transactionResult(transaction -> apply(transaction.dsl(), schema));
        }
    }

    private int apply(DSLContext dsl, Schema schema) {
        dsl.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE");
        requireCapableServer(dsl);
        int before = version(dsl, schema);
        refuseNewer(before, schema);
        if (before == versionKnown()) {
            return 0;
        }
        if (before > 0) {
            // This lock conflicts only with itself, and an application's grants do not allow it.
            dsl.execute("LOCK TABLE " + schema.qualified(versions) + " IN SHARE UPDATE EXCLUSIVE MODE");
        } else if (dsl.fetchSingle("SELECT to_regnamespace(?) IS NULL", schema.quotedName())
                .into(boolean.class)) {
            dsl.execute("CREATE SCHEMA " + schema.quotedName());
        }
        int version = version(dsl, schema);
        refuseNewer(version, schema);
        dsl.execute("SET LOCAL search_path = " + schema.quotedName() + ", pg_temp");
        for (String file : files.subList(version, versionKnown())) {
            dsl.connection(c -> {
                try (Statement statement = c.createStatement()) {
                    statement.setEscapeProcessing(false);
                    statement.execute(read(file));
                }
            });
        }
        return versionKnown() - version;
    }

    private static void requireCapableServer(DSLContext dsl) {
        int version = dsl.fetchSingle("SELECT current_setting('server_version_num')::int / 10000")
                .into(int.class);
        if (version < SERVER_VERSION_MIN) {
            throw new SchemaException("cannot install Staged Jobs on PostgreSQL " + version
                    + ": version 14 or later is needed. Nothing was changed.");
        }
        String encoding =
                dsl.fetchSingle("SELECT current_setting('server_encoding')").into(String.class);
        if (encoding.equals("SQL_ASCII")) {
            throw new SchemaException("cannot install Staged Jobs in a database with encoding SQL_ASCII: keys and names"
                    + " must have a UTF-8 form to become Kafka records. Nothing was changed. Use a database with"
                    + " encoding UTF8.");
        }
    }

    private String read(String file) {
        try (InputStream in = owner.getResourceAsStream("db/" + file)) {
            return new String(Objects.requireNonNull(in, file).readAllBytes(), UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
