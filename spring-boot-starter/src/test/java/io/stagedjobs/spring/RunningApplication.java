package io.stagedjobs.spring;

import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** A Spring Boot application on a database of its own, into which it has installed the tables. */
final class RunningApplication implements AutoCloseable {

    static final String WITHOUT_JPA = "spring.autoconfigure.exclude="
            + "org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration";

    final TestDatabase database = TestPostgres.shared().newDatabase("spring");
    private final ConfigurableApplicationContext context;

    RunningApplication(Class<?> application, String... properties) {
        SpringApplication spring = new SpringApplicationBuilder(application)
                .web(WebApplicationType.NONE)
                .properties(Stream.concat(
                                Stream.of(
                                        "spring.main.banner-mode=off",
                                        "spring.datasource.url=" + database.url(),
                                        "spring.datasource.username=" + database.username(),
                                        "spring.datasource.password=" + database.password(),
                                        "staged-jobs.migrate=true"),
                                Arrays.stream(properties))
                        .toArray(String[]::new))
                .build();
        execute("CREATE TABLE users (email text PRIMARY KEY)");
        context = spring.run();
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    <T> T bean(String name, Class<T> type) {
        return context.getBean(name, type);
    }

    ConfigurableApplicationContext context() {
        return context;
    }

    /** Names of the jobs that another session sees, in the order of their positions. */
    List<String> staged() {
        return column("SELECT job_name FROM staged_jobs ORDER BY id");
    }

    List<String> users() {
        return column("SELECT email FROM users ORDER BY email");
    }

    List<String> column(String query) {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            List<String> values = new ArrayList<>();
            while (rows.next()) {
                values.add(rows.getString(1));
            }
            return values;
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    void execute(String sql) {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        context.close();
    }
}
