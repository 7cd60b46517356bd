package io.stagedjobs.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.testkit.TestDatabase;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** Runs each typed line as SQL, in a transaction of its own: a psql for machines without one. */
final class SqlPrompt implements Runnable {

    private final TestDatabase database;
    private final InputStream in;
    private final PrintStream out;

    SqlPrompt(TestDatabase database, InputStream in, PrintStream out) {
        this.database = database;
        this.in = in;
        this.out = out;
    }

    /** Returns at the end of the input; there may be none at all. */
    @Override
    public void run() {
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(in, UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (!line.isBlank()) {
                    run(line);
                }
            }
        } catch (IOException e) {
            out.println("  sql: cannot read any further: " + e.getMessage());
        }
    }

    private void run(String sql) {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement()) {
            if (statement.execute(sql)) {
                print(statement.getResultSet());
            } else {
                out.println("  sql: " + Math.max(statement.getUpdateCount(), 0) + " rows changed");
            }
        } catch (SQLException e) {
            out.println("  sql: " + e.getMessage());
        }
    }

    private void print(ResultSet rows) throws SQLException {
        int columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (int i = 1; i <= columns; i++) {
                line.append(i == 1 ? "" : " | ").append(rows.getString(i));
            }
            out.println("  sql: " + line);
        }
    }
}
