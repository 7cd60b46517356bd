package io.stagedjobs.faultkit;

import io.stagedjobs.testkit.FreePort;
import io.stagedjobs.testkit.TestKafka;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.protocol.ApiKeys;
import org.jspecify.annotations.Nullable;

/**
 * A {@link FaultProxy} in front of its own Kafka broker: clients use the addresses that a broker advertises, so the
 * broker must advertise the proxy's address.
 *
 * <p>Connections must be in plain text.
 */
public final class KafkaFaultProxy extends FaultProxy<ApiKeys> {

    /** In front of every request and answer. */
    private static final int LENGTH_BYTES = 4;

    private final TestKafka kafka;

    private KafkaFaultProxy(int port, int brokerPort, TestKafka kafka) {
        super("kafka", port, new InetSocketAddress(InetAddress.getLoopbackAddress(), brokerPort));
        this.kafka = kafka;
    }

    /** Starts a broker with these settings on top of ours, and the proxy; both end with {@link #close}. */
    public static KafkaFaultProxy beforeNewBroker(Map<String, String> brokerSettings) {
        int port = FreePort.find();
        int brokerPort = FreePort.find();
        TestKafka kafka = TestKafka.startEmbeddedAdvertising(brokerPort, port, brokerSettings);
        KafkaFaultProxy proxy = new KafkaFaultProxy(port, brokerPort, kafka);
        proxy.listen();
        return proxy;
    }

    /** The broker itself, past the proxy, so that a test can read from it during a fault. */
    public TestKafka kafka() {
        return kafka;
    }

    @Override
    public void close() {
        kafka.close();
        super.close();
    }

    /**
     * Loses the {@code nth} request of that kind from now on, or its answer. An answer that reports an error counts
     * like any other.
     */
    public PlannedFault lose(Loss loss, ApiKeys request, int nth, Then then) {
        return plan(loss, request.name, request::equals, nth, then);
    }

    /** Reports that the {@code nth} request of that kind from now on was forwarded to the broker. */
    public PlannedFault forwarded(ApiKeys request, int nth) {
        return planNotice(request.name, request::equals, nth);
    }

    @Override
    ProtocolMessages conversation(OutputStream toClient) {
        return new KafkaConversation();
    }

    private final class KafkaConversation implements ProtocolMessages {

        /** By correlation id; guarded by itself. */
        private final Map<Integer, PlannedFault> answersToLose = new HashMap<>();

        @Override
        public byte @Nullable [] readRequest(DataInputStream in) throws IOException {
            return read(in);
        }

        @Override
        public byte @Nullable [] readAnswer(DataInputStream in) throws IOException {
            return read(in);
        }

        private byte @Nullable [] read(DataInputStream in) throws IOException {
            int first = in.read();
            if (first < 0) {
                return null;
            }
            int length = first << 24 | in.readUnsignedByte() << 16 | in.readUnsignedShort();
            byte[] unit = new byte[LENGTH_BYTES + length];
            ByteBuffer.wrap(unit).putInt(length);
            in.readFully(unit, LENGTH_BYTES, length);
            return unit;
        }

        /** The header of each request begins with its kind, its version and an id that the answer repeats. */
        @Override
        public Verdict judgeRequest(byte[] request) {
            ByteBuffer header = ByteBuffer.wrap(request, LENGTH_BYTES, request.length - LENGTH_BYTES);
            PlannedFault incident = due(ApiKeys.forId(header.getShort()));
            header.getShort();
            int correlationId = header.getInt();
            if (incident == null) {
                return Verdict.PASS;
            }
            return switch (incident.kind()) {
                case NOTICE -> new Verdict(true, incident);
                case LOSE_REQUEST -> new Verdict(false, incident);
                case LOSE_ANSWER -> {
                    synchronized (answersToLose) {
                        answersToLose.put(correlationId, incident);
                    }
                    yield Verdict.PASS;
                }
            };
        }

        @Override
        public Verdict judgeAnswer(byte[] answer) {
            int correlationId = ByteBuffer.wrap(answer).getInt(LENGTH_BYTES);
            synchronized (answersToLose) {
                PlannedFault incident = answersToLose.remove(correlationId);
                return incident == null ? Verdict.PASS : new Verdict(false, incident);
            }
        }
    }
}
