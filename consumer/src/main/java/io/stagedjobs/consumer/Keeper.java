package io.stagedjobs.consumer;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread that asks the database on behalf of the {@link Poller}: where to begin with a partition, and how far it is
 * finished. What it has stored may be committed to Kafka.
 */
final class Keeper implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(JobConsumer.class);
    private static final long ROUND_MILLIS = 1_000;
    private static final long DECIDE_MILLIS = 50;
    private static final long ANSWER_SECONDS = 10;

    /** A partition that has come, with what Kafka knows of it. */
    record Arrival(Optional<OffsetAndMetadata> committed, long position) {}

    private final String name;
    private final Marks marks;
    private final Admin admin;
    private final Window<Received> window;

    private final Map<TopicPartition, Arrival> arrivals = new ConcurrentHashMap<>();
    private final Map<TopicPartition, Long> beginnings = new ConcurrentHashMap<>();

    /** By partition, the mark that the database has at least, so that Kafka may know it; -1 before there is one. */
    private final Map<TopicPartition, Mark> stored = new ConcurrentHashMap<>();

    private final Map<TopicPartition, String> halted = new ConcurrentHashMap<>();
    /** The number of requests to store at once. */
    private long requested;

    /** The number of those that a round which began later has answered. */
    private long answered;

    private volatile boolean stopping;

    Keeper(String name, Marks marks, Admin admin, Window<Received> window) {
        this.name = name;
        this.marks = marks;
        this.admin = admin;
        this.window = window;
    }

    /** Asks where to begin with a partition. */
    void arrived(TopicPartition partition, Arrival arrival) {
        stored.remove(partition);
        beginnings.remove(partition);
        arrivals.put(partition, arrival);
        synchronized (this) {
            notifyAll();
        }
    }

    /** Forgets partitions that are gone. */
    void gone(Collection<TopicPartition> partitions) {
        partitions.forEach(partition -> {
            arrivals.remove(partition);
            beginnings.remove(partition);
            stored.remove(partition);
            halted.remove(partition);
        });
    }

    /** The partitions that a person has to decide about, each with the reason. */
    Map<TopicPartition, String> halted() {
        return Map.copyOf(halted);
    }

    /** The partitions that may begin, or have to begin again, at these offsets; each is told once. */
    Map<TopicPartition, Long> beginnings() {
        Map<TopicPartition, Long> taken = new HashMap<>();
        for (TopicPartition partition : Set.copyOf(beginnings.keySet())) {
            Long offset = beginnings.remove(partition);
            if (offset != null) {
                taken.put(partition, offset);
            }
        }
        return taken;
    }

    /** By partition, the offset that Kafka may know. */
    Map<TopicPartition, Long> stored() {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        stored.forEach((partition, mark) -> {
            if (mark.nextOffset() >= 0) {
                offsets.put(partition, mark.nextOffset());
            }
        });
        return offsets;
    }

    /** Has the marks stored now; returns when that is done or has failed, or after a while. */
    synchronized void storeWithin(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        long mine = ++requested;
        notifyAll();
        try {
            for (long left = patience.toNanos(); answered < mine && left > 0; left = deadline - System.nanoTime()) {
                wait(Math.max(1, TimeUnit.NANOSECONDS.toMillis(left)));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    void stop() {
        stopping = true;
        synchronized (this) {
            notifyAll();
        }
    }

    @Override
    public void run() {
        long roundAt = System.nanoTime();
        while (!stopping) {
            try {
                decide();
                long requests = requested();
                if (isAsked() || System.nanoTime() - roundAt >= 0) {
                    store();
                    answer(requests);
                    roundAt = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(ROUND_MILLIS);
                }
                rest(arrivals.keySet().equals(halted.keySet()) ? ROUND_MILLIS : DECIDE_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            } catch (RuntimeException e) {
                LOG.warn(
                        "consumer {} could not ask its database how far it is. Jobs are handled on; Kafka hears of it"
                                + " later. Next attempt in {} ms.",
                        name,
                        ROUND_MILLIS,
                        e);
                roundAt = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(ROUND_MILLIS);
                answer(requested()); // nobody waits for a database that is away, and the next attempt rests
                if (!rested()) {
                    return;
                }
            }
        }
    }

    private boolean rested() {
        try {
            rest(ROUND_MILLIS);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @SuppressWarnings("WaitNotInLoop") // its caller looks around and comes back
    private synchronized void rest(long millis) throws InterruptedException {
        if (!stopping && !isAsked()) {
            wait(millis);
        }
    }

    private synchronized long requested() {
        return requested;
    }

    private synchronized boolean isAsked() {
        return requested != answered;
    }

    private synchronized void answer(long requests) {
        answered = requests;
        notifyAll();
    }

    private void decide() throws InterruptedException {
        Map<TopicPartition, Arrival> waiting = Map.copyOf(arrivals);
        if (waiting.isEmpty()) {
            return;
        }
        Map<String, Uuid> ids =
                topicIds(waiting.keySet().stream().map(TopicPartition::topic).collect(Collectors.toSet()));
        waiting.forEach((partition, arrival) -> {
            Uuid id = ids.get(partition.topic());
            if (id != null) {
                decide(partition, arrival, id);
            }
        });
    }

    private void decide(TopicPartition partition, Arrival arrival, Uuid topicId) {
        Optional<Mark> mark = marks.read(partition);
        Beginning beginning = Beginning.of(arrival.committed, mark, topicId, arrival.position);
        Long offset = beginning.offset();
        if (offset == null) {
            if (halted.put(partition, beginning.reason()) == null) {
                LOG.error("consumer {} is halted on {}: {}.", name, partition, beginning.reason());
            }
            return;
        }
        if (!beginning.reason().isEmpty()) {
            LOG.warn("consumer {} begins with {} at offset {}: {}.", name, partition, offset, beginning.reason());
        }
        if (arrivals.remove(partition, arrival)) {
            halted.remove(partition);
            stored.put(
                    partition, mark.filter(its -> its.topicId().equals(topicId)).orElse(new Mark(topicId, -1)));
            beginnings.put(partition, offset);
        }
    }

    private Map<String, Uuid> topicIds(Set<String> topics) throws InterruptedException {
        try {
            return admin.describeTopics(topics).allTopicNames().get(ANSWER_SECONDS, TimeUnit.SECONDS).values().stream()
                    .collect(Collectors.toMap(TopicDescription::name, TopicDescription::topicId));
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("could not describe the topics " + topics, e);
        }
    }

    /** Stores how far each partition is finished; where the database has lost commits, begins again at its mark. */
    private void store() {
        Map<TopicPartition, Mark> wanted = new HashMap<>();
        Map<TopicPartition, Long> expected = new HashMap<>();
        window.lowWaters().forEach((partition, offset) -> {
            Mark last = stored.get(partition);
            if (last != null) {
                wanted.put(partition, new Mark(last.topicId(), offset));
                expected.put(partition, Math.max(0, last.nextOffset()));
            }
        });
        if (wanted.isEmpty()) {
            return;
        }
        Map<TopicPartition, Mark> before = marks.store(wanted, expected);
        wanted.forEach((partition, mark) -> {
            Mark stood = before.get(partition);
            long least = expected.getOrDefault(partition, 0L);
            boolean sameTopic = stood == null || stood.topicId().equals(mark.topicId());
            long stoodAt = stood == null || !sameTopic ? 0 : stood.nextOffset();
            if (sameTopic && stoodAt < least) {
                LOG.warn(
                        "consumer {}: the database has lost commits. Its mark of {} stood at {} and is at {} now; jobs"
                                + " from there on are handled again where the inbox does not know them.",
                        name,
                        partition,
                        least,
                        stoodAt);
                stored.computeIfPresent(partition, (its, last) -> new Mark(last.topicId(), stoodAt));
                beginnings.put(partition, stoodAt);
            } else {
                long reached = Math.max(stoodAt, mark.nextOffset());
                stored.computeIfPresent(
                        partition, (its, last) -> new Mark(last.topicId(), Math.max(last.nextOffset(), reached)));
            }
        });
    }
}
