package io.stagedjobs.daemon.faults;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.daemon.cli.Cli;
import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.enqueuer.postgres.StatementFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Logger;
import java.util.regex.Pattern;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/**
 * The command line in a JVM of its own, with named points of a batch at which a test can have it stand still: there the
 * test kills the process, or stops it and lets it go on later. The points are in the JDBC driver and in the Kafka
 * client, around the product; the product itself knows nothing of them.
 *
 * <p>A point is armed by a file {@code armed} with its name in the directory {@code -Dfailpoints}. Who reaches it first
 * writes a line to standard output and waits until the file {@code released} is there.
 */
final class Failpoints {

    /** The points of a batch, in their order; K6 and K9, where an answer is lost, are the network's. */
    enum Point {
        K0_BEFORE_SELECT,
        K1_AFTER_LOCK_AND_SELECT,
        K2_AFTER_KAFKA_BEGIN,
        K3_IN_MID_SEND,
        K4_ALL_SENT,
        K5_PROGRESS_SENT,
        K7_KAFKA_COMMITTED,
        K8_DELETE_DONE,
        K10_COMMITTED
    }

    /** Records of one batch that were sent when the middle of it is reached. */
    private static final int MID_SEND = 10;

    private static final AtomicInteger sent = new AtomicInteger();

    private Failpoints() {}

    /** The enqueuer's command line, over the drivers with the points. */
    public static void main(String[] args) throws Exception {
        Driver real = DriverManager.getDriver("jdbc:postgresql://localhost/x");
        DriverManager.deregisterDriver(real);
        DriverManager.registerDriver(new PointedDriver(real));
        Cli.main(args);
    }

    /** Arms a point for the next process that reaches it. */
    static void arm(Path directory, Point point) {
        try {
            Files.deleteIfExists(directory.resolve("released"));
            Path ready = directory.resolve("ready");
            Files.writeString(ready, point.name(), UTF_8);
            Files.move(ready, directory.resolve("armed"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Lets whoever stands at a point go on. */
    static void release(Path directory) {
        try {
            Files.writeString(directory.resolve("released"), "", UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static synchronized void reach(Point point) {
        Path directory = Path.of(System.getProperty("failpoints"));
        Path armed = directory.resolve("armed");
        try {
            if (!Files.exists(armed) || !Files.readString(armed, UTF_8).equals(point.name())) {
                return;
            }
            Files.delete(armed);
            System.out.println("standing at " + point);
            while (!Files.exists(directory.resolve("released"))) {
                TimeUnit.MILLISECONDS.sleep(5);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Sees the statements of a batch by the files that they are in. */
    private static final class PointedDriver implements Driver {
        private static final Pattern LOCK = StatementFiles.pattern("lock");
        private static final Pattern DELETE = StatementFiles.pattern("delete");
        private static final List<Pattern> CLAIMS =
                List.of(StatementFiles.pattern("lock-if-waiting"), StatementFiles.pattern("lock-if-waiting-or-over"));

        private final Driver real;

        PointedDriver(Driver real) {
            this.real = real;
        }

        @Override
        public Connection connect(String url, Properties info) throws SQLException {
            Connection connection = real.connect(url, info);
            if (connection == null) {
                return null;
            }
            boolean[] deleted = {false};
            return proxy(Connection.class, connection, (method, args, call) -> {
                if (method.equals("prepareStatement")) {
                    return statement((PreparedStatement) call.run(), (String) args[0], deleted);
                }
                Object result = call.run();
                if (method.equals("commit") && deleted[0]) {
                    deleted[0] = false;
                    reach(Point.K10_COMMITTED);
                }
                return result;
            });
        }

        private static PreparedStatement statement(PreparedStatement real, String sql, boolean[] deleted) {
            return proxy(PreparedStatement.class, real, (method, args, call) -> {
                if (!method.startsWith("execute")) {
                    return call.run();
                }
                boolean delete = DELETE.matcher(sql).find();
                boolean claim = CLAIMS.stream()
                        .anyMatch(claiming -> claiming.matcher(sql).find());
                if (claim || LOCK.matcher(sql).find()) {
                    reach(Point.K0_BEFORE_SELECT);
                } else if (delete) {
                    reach(Point.K7_KAFKA_COMMITTED);
                }
                Object result = call.run();
                if (claim && real.getResultSet().isBeforeFirst()) { // it has locked the lane: a job waits
                    sent.set(0);
                    reach(Point.K1_AFTER_LOCK_AND_SELECT);
                } else if (delete) {
                    deleted[0] = true;
                    reach(Point.K8_DELETE_DONE);
                }
                return result;
            });
        }

        @Override
        public boolean acceptsURL(String url) throws SQLException {
            return real.acceptsURL(url);
        }

        @Override
        public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) throws SQLException {
            return real.getPropertyInfo(url, info);
        }

        @Override
        public int getMajorVersion() {
            return real.getMajorVersion();
        }

        @Override
        public int getMinorVersion() {
            return real.getMinorVersion();
        }

        @Override
        public boolean jdbcCompliant() {
            return real.jdbcCompliant();
        }

        @Override
        public Logger getParentLogger() {
            return Logger.getGlobal();
        }
    }

    private interface Call {
        Object run() throws Throwable;
    }

    private interface Around {
        Object invoke(String method, Object[] args, Call call) throws Throwable;
    }

    private static <T> T proxy(Class<T> type, T real, Around around) {
        return type.cast(Proxy.newProxyInstance(
                Failpoints.class.getClassLoader(),
                new Class<?>[] {type},
                (self, method, args) -> around.invoke(method.getName(), args, () -> {
                    try {
                        return method.invoke(real, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                })));
    }

    /** Sees what the Kafka client sends; named in the client's configuration. */
    public static final class Interceptor implements ProducerInterceptor<byte[], byte[]> {

        @Override
        public ProducerRecord<byte[], byte[]> onSend(ProducerRecord<byte[], byte[]> record) {
            if (isProgress(record.topic())) {
                reach(Point.K4_ALL_SENT);
            } else {
                int number = sent.incrementAndGet();
                if (number == 1) {
                    reach(Point.K2_AFTER_KAFKA_BEGIN);
                } else if (number == MID_SEND) {
                    reach(Point.K3_IN_MID_SEND);
                }
            }
            return record;
        }

        @Override
        public void onAcknowledgement(RecordMetadata metadata, Exception exception) {
            if (metadata != null && isProgress(metadata.topic())) {
                reach(Point.K5_PROGRESS_SENT);
            }
        }

        private static boolean isProgress(String topic) {
            return topic.startsWith("staged-jobs-progress-");
        }

        @Override
        public void configure(Map<String, ?> configs) {}

        @Override
        public void close() {}
    }

    /** What the process needs in its environment and on its command line. */
    static List<String> jvmArgs(Path directory) {
        List<String> args = new ArrayList<>(Command.JVM_ARGS);
        args.add("-Dfailpoints=" + directory);
        return args;
    }

    static final String INTERCEPTOR_VARIABLE = "STAGED_JOBS_KAFKA_INTERCEPTOR_CLASSES";
}
