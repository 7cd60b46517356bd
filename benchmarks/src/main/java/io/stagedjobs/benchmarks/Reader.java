package io.stagedjobs.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A read_committed consumer of one topic, in a thread of its own. It counts each number once, finds repetitions and
 * what comes out of the order of its key, and knows when the first and the last record came.
 */
final class Reader implements AutoCloseable {

    /** Where in a payload the number stands. */
    private static final int NUMBER_AT = 6;

    private static final int NUMBER_DIGITS = 10;
    private static final long QUIET_NANOS = 10_000_000_000L;

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Thread thread;
    private final BitSet seen = new BitSet();
    private long[] receivedAt = new long[1 << 16];
    private final Map<String, Long> lastOfKey = new HashMap<>();

    /** What is waited for at the moment. */
    private record Goal(long others, long wanted, CountDownLatch reached) {}

    private volatile Goal goal = new Goal(0, Long.MAX_VALUE, new CountDownLatch(1));
    private volatile boolean ending;
    /** Written by the reader's thread only. */
    private final AtomicLong distinct = new AtomicLong();

    private final AtomicLong repeated = new AtomicLong();
    private final AtomicLong disordered = new AtomicLong();
    private volatile long first;
    private volatile long untilFirst;
    private volatile long last;

    /** Starts to read, from the topic's beginning. */
    Reader(String bootstrapServers, String topic) {
        this.consumer = new KafkaConsumer<>(
                Map.of(
                        "bootstrap.servers",
                        bootstrapServers,
                        "isolation.level",
                        "read_committed",
                        "enable.auto.commit",
                        false,
                        "max.poll.records",
                        5_000,
                        "fetch.max.wait.ms",
                        500,
                        "auto.offset.reset",
                        "earliest"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(topic, info.partition()))
                .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        partitions.forEach(consumer::position);
        this.thread = new Thread(this::run, "reader");
        thread.start();
    }

    /**
     * Says what to wait for.
     *
     * @param others how many distinct records have come already; they do not count for {@link #speed}
     * @param wanted after how many distinct records {@link #await} returns, the others among them
     */
    void expect(long others, long wanted) {
        if (distinct.get() != others) {
            throw new IllegalStateException(distinct.get() + " records came, and not " + others);
        }
        goal = new Goal(others, wanted, new CountDownLatch(1));
    }

    private void run() {
        while (!ending) {
            var records = consumer.poll(Duration.ofMillis(100));
            if (records.isEmpty()) {
                continue;
            }
            long now = System.nanoTime();
            Goal current = goal;
            boolean early = distinct.get() <= current.others;
            for (ConsumerRecord<byte[], byte[]> record : records) {
                take(record, now);
            }
            last = now;
            if (early) {
                first = now;
                untilFirst = distinct.get();
            }
            if (distinct.get() >= current.wanted) {
                current.reached.countDown();
            }
        }
    }

    private void take(ConsumerRecord<byte[], byte[]> record, long now) {
        long number = number(record.value());
        if (seen.get((int) number)) {
            repeated.incrementAndGet();
            return;
        }
        seen.set((int) number);
        if (number >= receivedAt.length) {
            receivedAt = Arrays.copyOf(receivedAt, 2 * (int) number);
        }
        receivedAt[(int) number] = now;
        distinct.incrementAndGet();
        Long before = lastOfKey.put(new String(record.key(), UTF_8), number);
        if (before != null && before > number) {
            disordered.incrementAndGet();
        }
    }

    private static long number(byte[] payload) {
        long number = 0;
        for (int i = NUMBER_AT; i < NUMBER_AT + NUMBER_DIGITS; i++) {
            number = 10 * number + payload[i] - '0';
        }
        return number;
    }

    /** Waits until as many distinct records came as were wanted. */
    boolean await(Duration atMost) throws InterruptedException {
        return goal.reached.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
    }

    /**
     * Records a second, from the first one that counts to the last one so far; what came together with it is left out.
     */
    double speed() {
        return (distinct.get() - untilFirst) / ((last - first) / 1e9);
    }

    /** Records a second, of those that came after so many others up to so many; to be asked when all has come. */
    double speed(long after, long upTo) {
        long[] times = times();
        return (upTo - after) / ((times[(int) upTo - 1] - times[(int) after]) / 1e9);
    }

    /** When that many records had come, of {@link System#nanoTime}; to be asked when all has come. */
    long timeOf(int records) {
        return times()[records - 1];
    }

    private long[] times() {
        return Arrays.stream(receivedAt).filter(time -> time != 0).sorted().toArray();
    }

    /** Whether a record came within the last ten seconds. */
    boolean isMoving() {
        return System.nanoTime() - last < QUIET_NANOS;
    }

    /**
     * When the record of that number came, of {@link System#nanoTime}; 0 if it did not; to be asked when all has come.
     */
    long receivedAt(long number) {
        return number < receivedAt.length ? receivedAt[(int) number] : 0;
    }

    long distinct() {
        return distinct.get();
    }

    /** What is wrong with what came, empty if nothing is. */
    String faults() {
        StringBuilder faults = new StringBuilder();
        if (distinct.get() != goal.wanted) {
            faults.append(goal.wanted - distinct.get()).append(" missing ");
        }
        if (repeated.get() > 0) {
            faults.append(repeated.get()).append(" twice ");
        }
        if (disordered.get() > 0) {
            faults.append(disordered.get()).append(" out of order ");
        }
        return faults.toString().trim();
    }

    @Override
    public void close() {
        ending = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        consumer.close();
    }
}
