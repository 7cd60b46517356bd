package io.stagedjobs.faultkit;

import io.stagedjobs.testkit.FreePort;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A network between a client on this machine and a server that fails when a test wants it.
 *
 * <p>At first, and again after {@link #heal}, everything passes. Then a test may
 *
 * <ul>
 *   <li>{@link #cut} it: connections end, new ones are refused;
 *   <li>{@link #stall} it: connections stay, and nothing passes;
 *   <li>lose one request or its answer, by the methods of the subclass that knows the protocol.
 * </ul>
 *
 * <p>Messages pass or are lost completely. A connection that has lost one stays silent for good: no protocol could go
 * on with it, and its client must notice that by its own timeouts. If the client closes such a connection, the server
 * does not learn of it, and vice versa, until {@link #heal}: a network also loses the last packet.
 *
 * <p>Listens on 127.0.0.1 only, on a port that stays the same until {@link #close}. Thread-safe; all methods return at
 * once, and messages under way may still pass.
 *
 * @param <R> how the protocol describes a request
 */
public abstract sealed class FaultProxy<R> implements AutoCloseable permits KafkaFaultProxy, PostgresFaultProxy {

    /** Which half of an exchange is lost. */
    public enum Loss {
        /** The server never sees the request. */
        REQUEST,
        /** The server has done the work, and the client never learns of it. */
        ANSWER
    }

    /** The fate of a connection that has lost a request or an answer. */
    public enum Then {
        /** It stays open, and nothing passes any more. */
        SILENCE,
        /** It is reset, for both sides. */
        CUT
    }

    /** How connections end. */
    public enum Ending {
        /** By RST, as if the other machine had crashed and come back. */
        RESET,
        /** By FIN, as if the other process had ended. */
        CLOSE
    }

    /** Where a message goes. */
    public enum Direction {
        TO_SERVER,
        TO_CLIENT
    }

    /** Counts down the requests of a kind until its incident. */
    private static final class Plan<R> {
        final Predicate<R> kind;
        final PlannedFault incident;
        int left;

        Plan(Predicate<R> kind, int nth, PlannedFault incident) {
            this.kind = kind;
            this.left = nth;
            this.incident = incident;
        }
    }

    private final String name;
    private final int port;
    private final InetSocketAddress server;
    private final AtomicLong accepted = new AtomicLong();

    /** Guards the fields below. */
    private final Object monitor = new Object();

    private final Set<ProxiedConnection> connections = new HashSet<>();
    private final List<Plan<R>> plans = new ArrayList<>();
    private final Set<Direction> stalled = EnumSet.noneOf(Direction.class);
    private @Nullable ServerSocket listener;
    private boolean closed;

    /**
     * Makes a proxy that does not listen yet.
     *
     * @param port where clients connect
     * @param server where the server listens, or will
     */
    FaultProxy(String name, int port, InetSocketAddress server) {
        this.name = name + "-proxy-" + port;
        this.port = port;
        this.server = server;
    }

    /** Begins a conversation that can answer the client in the server's place. */
    abstract ProtocolMessages conversation(OutputStream toClient);

    /** The port of 127.0.0.1 where clients connect. */
    public int port() {
        return port;
    }

    /** Host and port where clients connect. */
    public String address() {
        return "127.0.0.1:" + port;
    }

    /** The number of connections accepted since the start, without those refused after a {@link #cut}. */
    public long connectionsAccepted() {
        return accepted.get();
    }

    /** Ends all connections and refuses new ones, until {@link #heal}. */
    public void cut(Ending ending) {
        List<ProxiedConnection> all;
        synchronized (monitor) {
            stopListening();
            all = List.copyOf(connections);
        }
        all.forEach(connection -> connection.end(ending));
    }

    /** Lets nothing pass in either direction, until {@link #heal}; see {@link #stall(Direction)}. */
    public void stall() {
        stall(Direction.TO_SERVER, Direction.TO_CLIENT);
    }

    /** Lets nothing pass in that direction, until {@link #heal}. New connections are accepted and never answered. */
    public void stall(Direction direction) {
        stall(direction, direction);
    }

    private void stall(Direction one, Direction other) {
        synchronized (monitor) {
            stalled.add(one);
            stalled.add(other);
        }
    }

    /**
     * Ends {@link #cut} and {@link #stall}. Connections that have lost nothing go on; the others stay silent. Plans for
     * later requests remain.
     *
     * @throws UncheckedIOException if it can no longer listen on the port
     */
    public void heal() {
        List<ProxiedConnection> all;
        synchronized (monitor) {
            stalled.clear();
            listen();
            all = List.copyOf(connections);
        }
        all.forEach(ProxiedConnection::healed);
    }

    /** Cuts all connections and gives the port up for good. */
    @Override
    public void close() {
        synchronized (monitor) {
            closed = true;
        }
        cut(Ending.RESET);
    }

    /** Listens, unless it already does; nobody else has the port, because it comes from {@link FreePort}. */
    final void listen() {
        synchronized (monitor) {
            if (closed) {
                throw new IllegalStateException(name + " is closed");
            }
            if (listener != null) {
                return;
            }
            ServerSocket opened;
            try {
                opened = new ServerSocket();
                opened.setReuseAddress(true);
                opened.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            } catch (IOException e) {
                throw new UncheckedIOException("cannot listen on port " + port, e);
            }
            listener = opened;
            Thread acceptor = new Thread(() -> accept(opened), name);
            acceptor.setDaemon(true);
            acceptor.start();
        }
    }

    private void stopListening() {
        if (listener != null) {
            try {
                listener.close();
            } catch (IOException e) {
                throw new UncheckedIOException("cannot stop listening on port " + port, e);
            }
            listener = null;
        }
    }

    private void accept(ServerSocket from) {
        while (true) {
            Socket client;
            try {
                client = from.accept();
            } catch (IOException e) {
                return; // cut or closed
            }
            try {
                ProxiedConnection connection =
                        new ProxiedConnection(this, client, conversation(client.getOutputStream()));
                boolean refused;
                boolean held;
                synchronized (monitor) {
                    refused = listener != from;
                    held = !stalled.isEmpty();
                    if (!refused) {
                        connections.add(connection);
                        accepted.incrementAndGet();
                    }
                }
                if (refused) {
                    connection.end(Ending.RESET);
                } else {
                    connection.start(name + "-" + client.getPort(), held ? null : server);
                }
            } catch (IOException e) {
                // The client is gone already.
            }
        }
    }

    final void forget(ProxiedConnection connection) {
        synchronized (monitor) {
            connections.remove(connection);
        }
    }

    final boolean isStalled(Direction direction) {
        synchronized (monitor) {
            return stalled.contains(direction);
        }
    }

    final boolean isStalled() {
        synchronized (monitor) {
            return !stalled.isEmpty();
        }
    }

    /** Plans a loss at the {@code nth} request of that kind from now on, counted over all connections. */
    final PlannedFault plan(Loss loss, String what, Predicate<R> kind, int nth, Then then) {
        PlannedFault.Kind of = loss == Loss.REQUEST ? PlannedFault.Kind.LOSE_REQUEST : PlannedFault.Kind.LOSE_ANSWER;
        return plan(kind, nth, new PlannedFault(describe(loss, what, nth), of, then));
    }

    /** Plans a notice of the {@code nth} request of that kind from now on, once it is forwarded. */
    final PlannedFault planNotice(String what, Predicate<R> kind, int nth) {
        return plan(
                kind,
                nth,
                new PlannedFault(
                        name + ": forward " + what + " number " + nth, PlannedFault.Kind.NOTICE, Then.SILENCE));
    }

    private String describe(Loss loss, String what, int nth) {
        return name + ": lose " + (loss == Loss.REQUEST ? "" : "the answer to ") + what + " number " + nth;
    }

    private PlannedFault plan(Predicate<R> kind, int nth, PlannedFault incident) {
        if (nth < 1) {
            throw new IllegalArgumentException("expected a number from 1, got " + nth);
        }
        synchronized (monitor) {
            plans.add(new Plan<>(kind, nth, incident));
        }
        return incident;
    }

    /** Counts a request, and returns its incident; null if there is none. The first plan that is due wins. */
    final @Nullable PlannedFault due(R request) {
        synchronized (monitor) {
            Plan<R> due = null;
            for (Plan<R> plan : plans) {
                if (plan.kind.test(request) && --plan.left <= 0 && due == null) {
                    due = plan;
                }
            }
            if (due == null) {
                return null;
            }
            plans.remove(due);
            return due.incident;
        }
    }
}
