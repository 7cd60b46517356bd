package io.stagedjobs.faultkit;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.testkit.FreePort;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A {@link FaultProxy} in front of a PostgreSQL server.
 *
 * <p>It understands statements as text and prepared statements. If a client asks for encryption, it answers in the
 * server's place that there is none.
 */
public final class PostgresFaultProxy extends FaultProxy<PostgresFaultProxy.Exchange> {

    /** Codes that stand in place of a protocol version in the first message of a connection. */
    private static final int SSL_REQUEST = 80_877_103;

    private static final int GSS_ENCRYPTION_REQUEST = 80_877_104;

    private static final byte[] NO = {'N'};

    private static final Pattern COMMIT = Pattern.compile("\\s*COMMIT\\s*;?\\s*", Pattern.CASE_INSENSITIVE);

    /**
     * The messages that a client sends before it waits for the server to be ready again.
     *
     * @param statements the text of the statements in it, in their order
     * @param before the earlier statements of the same transaction
     */
    public record Exchange(List<String> statements, List<String> before) {

        /** A COMMIT of any transaction. */
        public static Predicate<Exchange> commit() {
            return exchange -> exchange.statements.stream().anyMatch(COMMIT.asMatchPredicate());
        }

        /** The COMMIT of a transaction that has run a statement in which the pattern is found. */
        public static Predicate<Exchange> commitAfter(Pattern statement) {
            return commit().and(exchange -> exchange.before.stream().anyMatch(statement.asPredicate()));
        }

        /** A statement in which the pattern is found. */
        public static Predicate<Exchange> statement(Pattern statement) {
            return exchange -> exchange.statements.stream().anyMatch(statement.asPredicate());
        }
    }

    private PostgresFaultProxy(int port, InetSocketAddress server) {
        super("postgres", port, server);
    }

    /** Starts a proxy in front of a server; the caller must close it. */
    public static PostgresFaultProxy before(TestPostgres server) {
        PostgresFaultProxy proxy =
                new PostgresFaultProxy(FreePort.find(), new InetSocketAddress(server.host(), server.port()));
        proxy.listen();
        return proxy;
    }

    /** A database of the server, reached through this proxy. */
    public TestDatabase through(TestDatabase database) {
        return new TestDatabase(
                "jdbc:postgresql://" + address() + "/" + database.name(),
                "127.0.0.1",
                port(),
                database.name(),
                database.username(),
                database.password());
    }

    /** Loses the {@code nth} exchange of that kind from now on, or its answer. */
    public PlannedFault lose(Loss loss, Predicate<Exchange> kind, int nth, Then then) {
        return plan(loss, "the chosen exchange", kind, nth, then);
    }

    /** Reports that the {@code nth} exchange of that kind from now on was forwarded to the server. */
    public PlannedFault forwarded(Predicate<Exchange> kind, int nth) {
        return planNotice("the chosen exchange", kind, nth);
    }

    @Override
    ProtocolMessages conversation(OutputStream toClient) {
        return new PostgresConversation(toClient);
    }

    private final class PostgresConversation implements ProtocolMessages {

        /** The exchanges that the server must still answer, the oldest first. */
        private record Awaited(@Nullable PlannedFault incident) {}

        private final OutputStream toClient;
        private boolean started;

        /** The client's statements and portals by name; only the thread of requests uses them. */
        private final Map<String, String> statements = new HashMap<>();

        private final Map<String, String> portals = new HashMap<>();
        private List<String> executed = new ArrayList<>();

        /** Guards the two fields below. */
        private final Object monitor = new Object();

        private final Deque<Awaited> awaited = new ArrayDeque<>();
        private final List<String> transaction = new ArrayList<>();

        PostgresConversation(OutputStream toClient) {
            this.toClient = toClient;
        }

        /** All messages up to one after which the client may wait, so that a unit is never lost in part. */
        @Override
        public byte @Nullable [] readRequest(DataInputStream in) throws IOException {
            if (!started) {
                return readStart(in);
            }
            ByteArrayOutputStream unit = new ByteArrayOutputStream();
            while (true) {
                byte[] message = readMessage(in);
                if (message == null) {
                    return null;
                }
                unit.write(message, 0, message.length);
                switch (message[0]) {
                    case 'P', 'B', 'D', 'E', 'C' -> {
                        // More is to come.
                    }
                    default -> {
                        return unit.toByteArray();
                    }
                }
            }
        }

        /** The first message has no type; a request for encryption comes before it. */
        private byte @Nullable [] readStart(DataInputStream in) throws IOException {
            while (true) {
                int first = in.read();
                if (first < 0) {
                    return null;
                }
                int length = first << 24 | in.readUnsignedByte() << 16 | in.readUnsignedShort();
                byte[] message = new byte[length];
                ByteBuffer.wrap(message).putInt(length);
                in.readFully(message, Integer.BYTES, length - Integer.BYTES);
                int code = ByteBuffer.wrap(message).getInt(Integer.BYTES);
                if (code == SSL_REQUEST || code == GSS_ENCRYPTION_REQUEST) {
                    toClient.write(NO);
                } else {
                    started = true;
                    return message;
                }
            }
        }

        @Override
        public byte @Nullable [] readAnswer(DataInputStream in) throws IOException {
            return readMessage(in);
        }

        private byte @Nullable [] readMessage(DataInputStream in) throws IOException {
            int type = in.read();
            if (type < 0) {
                return null;
            }
            int length = in.readInt(); // counts itself and not the type
            ByteArrayOutputStream message = new ByteArrayOutputStream(1 + length);
            DataOutputStream out = new DataOutputStream(message);
            out.writeByte(type);
            out.writeInt(length);
            out.write(in.readNBytes(length - Integer.BYTES));
            if (message.size() != 1 + length) {
                throw new IOException("the stream ends within a message");
            }
            return message.toByteArray();
        }

        @Override
        public Verdict judgeRequest(byte[] request) {
            ByteBuffer messages = ByteBuffer.wrap(request);
            if (request[0] == 0) { // the start: its length begins with a zero, and no message type is zero
                return expectAnswer(null);
            }
            boolean complete = false;
            while (messages.hasRemaining()) {
                byte type = messages.get();
                int length = messages.getInt();
                ByteBuffer body = messages.slice(messages.position(), length - Integer.BYTES);
                messages.position(messages.position() + length - Integer.BYTES);
                complete = note(type, body);
            }
            if (!complete) {
                return Verdict.PASS;
            }
            Exchange exchange;
            synchronized (monitor) {
                exchange = new Exchange(executed, List.copyOf(transaction));
                transaction.addAll(executed);
            }
            executed = new ArrayList<>();
            PlannedFault incident = due(exchange);
            if (incident == null) {
                return expectAnswer(null);
            }
            return switch (incident.kind()) {
                case NOTICE -> {
                    expectAnswer(null);
                    yield new Verdict(true, incident);
                }
                case LOSE_REQUEST -> new Verdict(false, incident);
                case LOSE_ANSWER -> expectAnswer(incident);
            };
        }

        /** Records one message of the client; returns whether the server answers that it is ready again. */
        private boolean note(byte type, ByteBuffer body) {
            switch (type) {
                case 'Q' -> executed.add(string(body));
                case 'P' -> statements.put(string(body), string(body));
                case 'B' -> portals.put(string(body), statements.getOrDefault(string(body), ""));
                case 'E' -> executed.add(portals.getOrDefault(string(body), ""));
                default -> {
                    // Says nothing about statements.
                }
            }
            return type == 'Q' || type == 'S';
        }

        private Verdict expectAnswer(@Nullable PlannedFault incident) {
            synchronized (monitor) {
                awaited.add(new Awaited(incident));
            }
            return Verdict.PASS;
        }

        /** The answer ends when the server is ready again; only then its work is certain. */
        @Override
        public Verdict judgeAnswer(byte[] answer) {
            boolean ready = answer[0] == 'Z';
            synchronized (monitor) {
                if (ready && answer[1 + Integer.BYTES] == 'I') { // idle: no transaction is open
                    transaction.clear();
                }
                Awaited current = ready ? awaited.poll() : awaited.peek();
                if (current == null || current.incident == null) {
                    return Verdict.PASS;
                }
                return ready ? new Verdict(false, current.incident) : Verdict.SWALLOW;
            }
        }

        private static String string(ByteBuffer body) {
            int start = body.position();
            while (body.get() != 0) {
                // Up to the terminator.
            }
            byte[] bytes = new byte[body.position() - 1 - start];
            body.get(start, bytes);
            return new String(bytes, UTF_8);
        }
    }
}
