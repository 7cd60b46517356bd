package io.stagedjobs.daemon.admin;

import io.stagedjobs.enqueuer.BackgroundThreads;
import java.time.Duration;
import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.io.Connection;

/**
 * Keeps slow clients from taking all connections. One that does not send a whole request in time is closed, however
 * often it sends a byte; so is the one that has waited longest when there are too many. So a new connection always gets
 * its turn, and health answers.
 */
final class Connections implements Connection.Listener, AutoCloseable {

    /** For the head of a request, for its body, and between two requests. */
    static final Duration REQUEST_MAX = Duration.ofSeconds(10);

    static final int CONNECTIONS_MAX = 256;

    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);

    private final Map<Connection, Waiting> open = new ConcurrentHashMap<>();
    private final ScheduledExecutorService clock =
            Executors.newSingleThreadScheduledExecutor(BackgroundThreads.daemons("admin-connections"));

    /** Since when a connection waits for its client; the bodies that we read stop that, answers do not. */
    private static final class Waiting {
        private long messages;
        private volatile long since = System.nanoTime();
        private volatile boolean forBody;
    }

    @SuppressWarnings("FutureReturnValueIgnored") // it ends with the executor
    void start() {
        clock.scheduleWithFixedDelay(
                this::closeSlow, LOOK_EVERY.toMillis(), LOOK_EVERY.toMillis(), TimeUnit.MILLISECONDS);
    }

    @Override
    public void onOpened(Connection connection) {
        open.put(connection, new Waiting());
        if (open.size() > CONNECTIONS_MAX) {
            open.entrySet().stream()
                    .filter(each -> each.getKey() != connection && waitsForClient(each.getKey(), each.getValue()))
                    .min(Comparator.comparingLong(each -> each.getValue().since))
                    .ifPresent(each -> each.getKey().getEndPoint().close());
        }
    }

    @Override
    public void onClosed(Connection connection) {
        open.remove(connection);
    }

    /** A body is about to be read: its client has so long from now. */
    void bodyExpected(Connection connection) {
        mark(connection, true);
    }

    void bodyRead(Connection connection) {
        mark(connection, false);
    }

    private void mark(Connection connection, boolean forBody) {
        Waiting waiting = open.get(connection);
        if (waiting != null) {
            waiting.since = System.nanoTime();
            waiting.forBody = forBody;
        }
    }

    private static boolean waitsForClient(Connection connection, Waiting waiting) {
        return waiting.forBody || connection.getMessagesIn() == connection.getMessagesOut();
    }

    private void closeSlow() {
        long now = System.nanoTime();
        open.forEach((connection, waiting) -> {
            long messages = connection.getMessagesIn() + connection.getMessagesOut();
            if (messages != waiting.messages) {
                waiting.messages = messages;
                waiting.since = waiting.forBody ? waiting.since : now;
            } else if (now - waiting.since > REQUEST_MAX.toNanos() && waitsForClient(connection, waiting)) {
                connection.getEndPoint().close();
            }
        });
    }

    @Override
    public void close() {
        clock.shutdownNow();
    }
}
