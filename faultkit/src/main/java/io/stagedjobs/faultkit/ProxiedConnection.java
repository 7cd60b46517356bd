package io.stagedjobs.faultkit;

import io.stagedjobs.faultkit.FaultProxy.Direction;
import io.stagedjobs.faultkit.FaultProxy.Ending;
import io.stagedjobs.faultkit.FaultProxy.Then;
import io.stagedjobs.faultkit.ProtocolMessages.Verdict;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One client's connection through a {@link FaultProxy}: a thread for each direction. */
final class ProxiedConnection {

    private final FaultProxy<?> proxy;
    private final Socket client;
    private final ProtocolMessages conversation;
    private final Socket server = new Socket();

    /** Directions that have lost a message; guarded by this object, like the rest below. */
    private final Set<Direction> silent = EnumSet.noneOf(Direction.class);

    private final Set<Direction> ended = EnumSet.noneOf(Direction.class);

    /** Whether one side does not learn of the other's end until the network is healed. */
    private boolean holdsEnds;

    private boolean heldAnEnd;

    ProxiedConnection(FaultProxy<?> proxy, Socket client, ProtocolMessages conversation) {
        this.proxy = proxy;
        this.client = client;
        this.conversation = conversation;
    }

    /** Begins to forward; without an address of the server, the connection is never answered. */
    void start(String name, @Nullable InetSocketAddress address) {
        start(name + "-to-server", () -> run(name, address));
    }

    private static void start(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
    }

    private void run(String name, @Nullable InetSocketAddress address) {
        try {
            if (address == null) {
                swallow(client.getInputStream());
                end(Ending.CLOSE);
                return;
            }
            client.setTcpNoDelay(true);
            server.setTcpNoDelay(true);
            server.connect(address);
        } catch (IOException e) {
            end(Ending.RESET); // nobody listens there
            return;
        }
        start(name + "-to-client", () -> pump(Direction.TO_CLIENT, server, client));
        pump(Direction.TO_SERVER, client, server);
    }

    private static void swallow(InputStream in) throws IOException {
        byte[] buffer = new byte[8192];
        while (in.read(buffer) >= 0) {
            // Only the end matters.
        }
    }

    private void pump(Direction direction, Socket from, Socket to) {
        try {
            DataInputStream in = new DataInputStream(new BufferedInputStream(from.getInputStream(), 64 * 1024));
            for (byte[] unit = read(direction, in); unit != null; unit = read(direction, in)) {
                pass(direction, unit, to);
            }
            ended(direction, Ending.CLOSE);
        } catch (IOException e) {
            ended(direction, Ending.RESET);
        }
    }

    private byte @Nullable [] read(Direction direction, DataInputStream in) throws IOException {
        return direction == Direction.TO_SERVER ? conversation.readRequest(in) : conversation.readAnswer(in);
    }

    private void pass(Direction direction, byte[] unit, Socket to) throws IOException {
        if (isLost(direction)) {
            return;
        }
        Verdict verdict =
                direction == Direction.TO_SERVER ? conversation.judgeRequest(unit) : conversation.judgeAnswer(unit);
        if (verdict.passes()) {
            to.getOutputStream().write(unit);
        }
        PlannedFault incident = verdict.incident();
        if (incident != null) {
            if (!verdict.passes()) {
                carryOut(incident);
            }
            incident.happen();
        }
    }

    private synchronized boolean isLost(Direction direction) {
        if (proxy.isStalled(direction)) {
            silent.add(direction);
            holdsEnds = true;
        }
        return silent.contains(direction);
    }

    private void carryOut(PlannedFault incident) {
        if (incident.then() == Then.CUT) {
            end(Ending.RESET);
        } else {
            synchronized (this) {
                silent.addAll(EnumSet.allOf(Direction.class));
                holdsEnds = true;
            }
        }
    }

    /** One side has ended its stream: passes that on, unless the network is broken. */
    private synchronized void ended(Direction direction, Ending how) {
        if (holdsEnds || proxy.isStalled()) {
            heldAnEnd = true;
            return;
        }
        ended.add(direction);
        if (how == Ending.RESET || ended.size() == Direction.values().length) {
            end(how);
            return;
        }
        try {
            (direction == Direction.TO_SERVER ? server : client).shutdownOutput();
        } catch (IOException e) {
            end(Ending.RESET);
        }
    }

    /** The network works again: delayed ends arrive. */
    synchronized void healed() {
        holdsEnds = false;
        if (heldAnEnd) {
            end(Ending.RESET);
        }
    }

    /** Ends both sides now. */
    void end(Ending ending) {
        end(client, ending);
        end(server, ending);
        proxy.forget(this);
    }

    @SuppressWarnings("EmptyCatch") // ended already
    private static void end(Socket socket, Ending ending) {
        try (socket) {
            if (ending == Ending.RESET && socket.isConnected() && !socket.isClosed()) {
                socket.setSoLinger(true, 0);
            } else if (socket.isConnected() && !socket.isOutputShutdown()) {
                // A close with unread input would be a reset; the other side's reader sees the end in either case.
                socket.shutdownOutput();
            }
        } catch (IOException e) {
            // Nothing is left to end.
        }
    }
}
