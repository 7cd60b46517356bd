package io.stagedjobs.daemon.admin;

import java.net.InetAddress;
import java.net.UnknownHostException;

/**
 * Where the admin port listens, and what it asks of callers.
 *
 * @param port 0 for any free one
 */
public record Binding(String host, int port, Tokens tokens) {

    /** Whether only this machine can connect; a name that nobody knows counts as not. */
    public boolean isLoopback() {
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            return false;
        }
    }
}
