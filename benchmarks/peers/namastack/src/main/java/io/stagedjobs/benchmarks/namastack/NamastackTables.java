package io.stagedjobs.benchmarks.namastack;

import org.springframework.core.io.ClassPathResource;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.jdbc.datasource.init.ResourceDatabasePopulator;

/** Makes the tables, by the script that the library has in its jar. */
public final class NamastackTables {

    private NamastackTables() {}

    /** Arguments: JDBC URL, user, password. */
    public static void main(String[] args) {
        new ResourceDatabasePopulator(new ClassPathResource("schema/postgres/outbox-tables.sql"))
                .execute(new DriverManagerDataSource(args[0], args[1], args[2]));
    }
}
