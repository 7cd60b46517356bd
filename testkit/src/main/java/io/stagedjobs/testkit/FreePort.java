package io.stagedjobs.testkit;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Ports for servers that restart on the same port.
 *
 * <p>They are below the range from which operating systems take the local ports of outgoing connections (32768 and up
 * on Linux, 49152 elsewhere). A port of that range could be taken while its server is down, and a client that keeps
 * trying to connect to it on the same machine can even end up connected to itself.
 */
public final class FreePort {

    private static final int FIRST = 20_000;
    private static final int LAST = 32_000;
    private static final int TRIES = 200;

    /** Ports given out: a stopped server's port looks free, but its owner will need it again. */
    private static final Set<Integer> GIVEN_OUT = new HashSet<>();

    private FreePort() {}

    /** A port of 127.0.0.1 on which nobody listens now, and which this class has not given out before. */
    public static synchronized int find() {
        for (int tried = 0; tried < TRIES; tried++) {
            int port = ThreadLocalRandom.current().nextInt(FIRST, LAST);
            if (!GIVEN_OUT.contains(port) && isFree(port)) {
                GIVEN_OUT.add(port);
                return port;
            }
        }
        throw new IllegalStateException(
                "found no free port between " + FIRST + " and " + LAST + " on 127.0.0.1 in " + TRIES + " tries");
    }

    private static boolean isFree(int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return true;
        } catch (IOException e) {
            return false;
        }
    }
}
