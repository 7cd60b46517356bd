package io.stagedjobs.spring;

import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Installs or upgrades the tables in its constructor. Many instances of an application may do so at once. */
final class SchemaMigration {

    private static final Logger log = LoggerFactory.getLogger(SchemaMigration.class);

    SchemaMigration(DataSource dataSource, Schema schema) throws SQLException {
        try (Connection connection = dataSource.getConnection()) {
            int applied = schema.migrate(connection);
            if (applied > 0) {
                log.info(
                        "applied {} migration(s) of Staged Jobs; schema \"{}\" is at version {} now",
                        applied,
                        schema.name(),
                        Schema.versionKnown());
            }
        }
    }
}
