package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.Tools;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Between everybody and PostgreSQL stands a PgBouncer in transaction pooling, with fewer connections than it has
 * clients.
 */
class PgBouncerTest {

    @TempDir
    private Path directory;

    @Test
    void a_whole_run_goes_through_pgbouncer_in_transaction_pooling() throws Exception {
        Path program = Tools.require("pgbouncer");
        try (Scene scene = new Scene(Map.of())) {
            TestDatabase direct = scene.outbox.database;
            int port = freePort();
            scene.keep(start(program, direct, port));
            TestDatabase pooled = new TestDatabase(
                    "jdbc:postgresql://127.0.0.1:" + port + "/" + direct.name() + "?prepareThreshold=0",
                    "127.0.0.1",
                    port,
                    direct.name(),
                    direct.username(),
                    direct.password());
            scene.ledger.moveTo(pooled);
            Eventually.until("PgBouncer answers", () -> answers(pooled));
            scene.set("STAGED_JOBS_DATABASE_URL", pooled.url());
            Command.Daemon victim = scene.daemon("victim");
            Command.Daemon survivor = scene.daemon("survivor");
            try (Ledger.Load load = scene.ledger.load(4)) {
                load.await(100);
                victim.process.kill();
                load.await(200);
            }
            scene.ledger.checkDrained();
            Scene.awaitReady(survivor);
            assertThat(Command.run(scene.environment, "doctor").out()).contains("a pooler is between");
        }
    }

    private ChildProcess start(Path program, TestDatabase direct, int port) throws Exception {
        Path users = directory.resolve("users");
        Files.writeString(users, '"' + direct.username() + "\" \"" + direct.password() + "\"\n");
        Path configuration = directory.resolve("pgbouncer.ini");
        Files.writeString(
                configuration,
                String.join(
                        "\n",
                        "[databases]",
                        "* = host=127.0.0.1 port=" + direct.port(),
                        "[pgbouncer]",
                        "listen_addr = 127.0.0.1",
                        "listen_port = " + port,
                        "unix_socket_dir =",
                        "auth_type = scram-sha-256",
                        "auth_file = " + users,
                        "pool_mode = transaction",
                        "default_pool_size = 6",
                        "ignore_startup_parameters = extra_float_digits",
                        ""));
        List<String> command = new ArrayList<>(List.of(program.toString()));
        if (System.getProperty("user.name")
                .equals("root")) { // it refuses to run as root, and reads its files as nobody
            command.add("--user=nobody");
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        command.add(configuration.toString());
        return ChildProcess.start("pgbouncer", command, Map.of());
    }

    private static boolean answers(TestDatabase database) {
        try (Connection connection = database.connect()) {
            return connection.isValid(5);
        } catch (SQLException notYet) {
            return false;
        }
    }

    private static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
