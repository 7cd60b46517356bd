package io.stagedjobs.testkit;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Properties;
import javax.sql.DataSource;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * One database of a {@link TestPostgres}, with the credentials of its owner, the server's superuser.
 *
 * @param url the JDBC URL, without credentials
 */
public record TestDatabase(String url, String host, int port, String name, String username, String password) {

    /** A new connection as the owner. */
    public Connection connect() throws SQLException {
        return connectAs(username, password);
    }

    /** A new connection as another role; a wrong password is refused. */
    public Connection connectAs(String user, String password) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", user);
        properties.setProperty("password", password);
        return DriverManager.getConnection(url, properties);
    }

    /** Opens a new connection as the owner at each request, without a pool. */
    public DataSource dataSource() {
        PGSimpleDataSource source = new PGSimpleDataSource();
        source.setUrl(url);
        source.setUser(username);
        source.setPassword(password);
        return source;
    }

    /** Leaves the password out, so that a log line or a failed assertion may show this. */
    @Override
    public String toString() {
        return username + " at " + url;
    }
}
