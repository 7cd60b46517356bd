package io.stagedjobs.consumer;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread that reads from Kafka into the window, and commits to Kafka what is finished. It never runs a handler and
 * never asks the database.
 */
final class Poller implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(JobConsumer.class);
    private static final Duration POLL_MAX = Duration.ofMillis(100);
    private static final Duration COMMIT_EVERY = Duration.ofSeconds(1);
    private static final Duration REVOKE_MAX = Duration.ofSeconds(3);
    private static final Duration STORE_MAX = Duration.ofSeconds(1);
    private static final Duration COMMIT_MAX = Duration.ofSeconds(3);
    private static final Duration ANSWER_MAX = Duration.ofSeconds(10);
    private static final Duration REST_AFTER_FAILURE = Duration.ofSeconds(1);

    private final String name;
    private final Supplier<Consumer<byte @Nullable [], byte @Nullable []>> clients;
    private final Set<String> topics;
    private final Window<Received> window;
    private final Keeper keeper;

    private final Map<TopicPartition, Long> committed = new HashMap<>();

    /** Assigned, and paused until the keeper knows where to begin. */
    private final Set<TopicPartition> undecided = new HashSet<>();

    private long commitAt;
    private final CountDownLatch stopping = new CountDownLatch(1);
    private volatile @Nullable Consumer<byte @Nullable [], byte @Nullable []> client;

    /** @param clients makes a client; a new one is made after an error */
    Poller(
            String name,
            Supplier<Consumer<byte @Nullable [], byte @Nullable []>> clients,
            Set<String> topics,
            Window<Received> window,
            Keeper keeper) {
        this.name = name;
        this.clients = clients;
        this.topics = topics;
        this.window = window;
        this.keeper = keeper;
    }

    /** Commits what is finished, leaves the group and ends. */
    void stop() {
        stopping.countDown();
        Consumer<byte @Nullable [], byte @Nullable []> current = client;
        if (current != null) {
            current.wakeup();
        }
    }

    @Override
    public void run() {
        while (stopping.getCount() > 0) {
            try (Consumer<byte @Nullable [], byte @Nullable []> opened = clients.get()) {
                client = opened;
                if (stopping.getCount() > 0) {
                    opened.subscribe(topics, new Rebalances(opened));
                    read(opened);
                }
            } catch (InterruptException e) {
                return;
            } catch (KafkaException e) {
                LOG.warn(
                        "consumer {} could not read jobs of {}. They stay in Kafka; next attempt in {} s.",
                        name,
                        topics,
                        REST_AFTER_FAILURE.toSeconds(),
                        e);
                if (!rested()) {
                    return;
                }
            } finally {
                client = null;
                forget(undecidedAndRead());
            }
        }
    }

    /** False if the consumer stops. */
    private boolean rested() {
        try {
            return !stopping.await(REST_AFTER_FAILURE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private void read(Consumer<byte @Nullable [], byte @Nullable []> from) {
        while (stopping.getCount() > 0) {
            try {
                begin(from);
                fill(from);
                pauseFullOnes(from);
                if (System.nanoTime() - commitAt >= 0) {
                    commitFinished(from);
                    commitAt = System.nanoTime() + COMMIT_EVERY.toNanos();
                }
            } catch (WakeupException stop) {
                // the loop ends
            }
        }
        try {
            commitFinished(from);
        } catch (WakeupException late) {
            commitFinished(from);
        }
    }

    /** With partitions for which the keeper knows where. */
    private void begin(Consumer<?, ?> from) {
        keeper.beginnings().forEach((partition, offset) -> {
            if (from.assignment().contains(partition)) {
                from.seek(partition, offset);
                window.assign(partition, offset);
                undecided.remove(partition);
                committed.remove(partition);
            }
        });
    }

    private Set<TopicPartition> undecidedAndRead() {
        Set<TopicPartition> all = new HashSet<>(undecided);
        all.addAll(window.lowWaters().keySet());
        return all;
    }

    private void forget(Collection<TopicPartition> partitions) {
        window.revoke(partitions);
        keeper.gone(partitions);
        partitions.forEach(partition -> {
            committed.remove(partition);
            undecided.remove(partition);
        });
    }

    private void fill(Consumer<byte @Nullable [], byte @Nullable []> from) {
        for (ConsumerRecord<byte @Nullable [], byte @Nullable []> record : from.poll(POLL_MAX)) {
            Received received = new Received(record);
            window.add(
                    new TopicPartition(record.topic(), record.partition()),
                    record.offset(),
                    record.key() == null ? null : ByteBuffer.wrap(record.key()),
                    received,
                    received.bytes());
        }
        window.lowWaters()
                .keySet()
                .forEach(partition -> window.readTo(partition, from.position(partition, ANSWER_MAX)));
    }

    /** After each rebalance again: a partition that comes is not paused. */
    private void pauseFullOnes(Consumer<?, ?> from) {
        Set<TopicPartition> full = new HashSet<>();
        Set<TopicPartition> others = new HashSet<>();
        from.assignment()
                .forEach(partition ->
                        (window.isFull(partition) || undecided.contains(partition) ? full : others).add(partition));
        full.removeAll(from.paused());
        others.retainAll(from.paused());
        if (!full.isEmpty()) {
            LOG.debug("consumer {} has its window full with {}", name, full);
        }
        from.pause(full);
        from.resume(others);
    }

    /** Only partitions whose stored mark moved. */
    private void commitFinished(Consumer<?, ?> to) {
        Map<TopicPartition, OffsetAndMetadata> moved = new HashMap<>();
        Map<TopicPartition, Long> stored = keeper.stored();
        window.lowWaters().forEach((partition, finished) -> {
            Long mark = stored.get(partition);
            if (mark == null) {
                return;
            }
            long offset = Math.min(mark, finished); // a person may have set the group back below the mark
            if (!Objects.equals(offset, committed.get(partition))) {
                moved.put(partition, new OffsetAndMetadata(offset, Beginning.OURS));
            }
        });
        if (moved.isEmpty()) {
            return;
        }
        try {
            to.commitSync(moved, COMMIT_MAX);
            moved.forEach((partition, offset) -> committed.put(partition, offset.offset()));
        } catch (RebalanceInProgressException | CommitFailedException | TimeoutException e) {
            LOG.debug("consumer {} could not commit offsets now; what comes again is skipped", name, e);
        }
    }

    private final class Rebalances implements ConsumerRebalanceListener {
        private final Consumer<?, ?> of;

        private Rebalances(Consumer<?, ?> of) {
            this.of = of;
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            of.pause(partitions);
            undecided.addAll(partitions);
            Map<TopicPartition, OffsetAndMetadata> known = of.committed(Set.copyOf(partitions), ANSWER_MAX);
            for (TopicPartition partition : partitions) {
                keeper.arrived(
                        partition,
                        new Keeper.Arrival(
                                Optional.ofNullable(known.get(partition)), of.position(partition, ANSWER_MAX)));
            }
        }

        /** What runs may finish, so that the next owner need not wait for it. */
        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            try {
                window.awaitTaken(partitions, REVOKE_MAX);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            keeper.storeWithin(STORE_MAX);
            commitFinished(of);
            forget(partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            forget(partitions);
        }
    }
}
