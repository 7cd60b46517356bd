package io.stagedjobs.consumer;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * The records that were read from Kafka and are not finished: the only place where the thread that polls and the
 * workers meet. Workers take records so that those of a key come one after the other, in their order; a key whose
 * record has to wait does not keep the others. Of each partition it knows the low water: every record below is
 * finished.
 *
 * <p><b>Threads</b>: thread-safe; only {@link #take} and {@link #awaitTaken} wait, no longer than asked.
 *
 * @param <R> the record
 */
final class Window<R> {

    /**
     * The most that may be unfinished; a partition that has more is {@linkplain #isFull full}.
     *
     * @param records of one partition
     * @param bytes of all partitions together
     */
    record Limits(int records, long bytes) {}

    /** One record in the window. */
    final class Entry {
        final R record;
        final long offset;
        private final Partition partition;
        private final Key key;
        private final long place;
        private final int bytes;

        private Entry(R record, long offset, Partition partition, Key key, int bytes) {
            this.record = record;
            this.offset = offset;
            this.partition = partition;
            this.key = key;
            this.place = placesGiven++;
            this.bytes = bytes;
        }

        /** Equal for records of one key. */
        Object key() {
            return key;
        }
    }

    /** The records of one key, in the order in which they came. */
    private final class Key {
        private final @Nullable Object name;
        private final PriorityQueue<Entry> waiting =
                new PriorityQueue<>(Comparator.comparingLong(entry -> entry.place));
        private int taken;
        private boolean queued;
        private long notBefore;

        private Key(@Nullable Object name) {
            this.name = name;
            this.notBefore = nanoTime.getAsLong();
        }
    }

    /** One assignment of a partition; the next assignment of the same partition is another object. */
    private final class Partition {
        private final Set<Entry> entries = new HashSet<>();
        private final TreeSet<Long> unfinished = new TreeSet<>();
        private long next;
        private boolean revoked;
        private int taken;

        private Partition(long next) {
            this.next = next;
        }
    }

    private record Named(String topic, Object key) {}

    private final Limits limits;
    private final LongSupplier nanoTime;
    private final Map<TopicPartition, Partition> partitions = new HashMap<>();
    private final Map<Object, Key> keys = new HashMap<>();

    /** Keys with a record that may be taken. */
    private final Deque<Key> ready = new ArrayDeque<>();

    /** Keys whose next record must wait, the next one first. */
    private final PriorityQueue<Key> delayed = new PriorityQueue<>(Comparator.comparingLong(key -> key.notBefore));

    private long placesGiven;
    private long bytes;
    private boolean closed;

    Window(Limits limits, LongSupplier nanoTime) {
        this.limits = limits;
        this.nanoTime = nanoTime;
    }

    /** Begins with a partition at this offset; forgets an earlier assignment of it. */
    synchronized void assign(TopicPartition partition, long position) {
        revoke(Set.of(partition));
        partitions.put(partition, new Partition(position));
    }

    /**
     * Adds a record behind all that are there; drops one of a partition that is not assigned.
     *
     * @param key null for a record that keeps no order
     */
    synchronized void add(TopicPartition of, long offset, @Nullable Object key, R record, int bytesOfRecord) {
        Partition partition = partitions.get(of);
        if (partition == null) {
            return;
        }
        Key its = key == null ? new Key(null) : keys.computeIfAbsent(new Named(of.topic(), key), Key::new);
        Entry entry = new Entry(record, offset, partition, its, bytesOfRecord);
        partition.entries.add(entry);
        partition.unfinished.add(offset);
        partition.next = Math.max(partition.next, offset + 1);
        bytes += bytesOfRecord;
        its.waiting.add(entry);
        offer(its);
    }

    /** The partition was read up to here; beyond the last record there may be marks of transactions. */
    synchronized void readTo(TopicPartition of, long position) {
        Partition partition = partitions.get(of);
        if (partition != null) {
            partition.next = Math.max(partition.next, position);
        }
    }

    /** Whether nothing more of this partition should be read now. */
    synchronized boolean isFull(TopicPartition of) {
        Partition partition = partitions.get(of);
        return partition != null && (partition.unfinished.size() >= limits.records || bytes >= limits.bytes);
    }

    /**
     * Takes records whose keys are free; several of one key only in their order, one directly after the other. Waits
     * for the first one.
     *
     * @return at most {@code max}; empty if none came in time, or after {@link #close}
     */
    synchronized List<Entry> take(int max, Duration patience) throws InterruptedException {
        long deadline = nanoTime.getAsLong() + patience.toNanos();
        while (true) {
            long now = nanoTime.getAsLong();
            wake(now);
            if (closed || !ready.isEmpty() || now - deadline >= 0) {
                break;
            }
            long until = delayed.isEmpty() ? deadline : Math.min(deadline, delayed.element().notBefore);
            waitNanos(until - now);
        }
        List<Entry> taken = new ArrayList<>();
        while (!closed && taken.size() < max && !ready.isEmpty()) {
            Key key = ready.remove();
            key.queued = false;
            while (taken.size() < max && !key.waiting.isEmpty()) {
                Entry entry = key.waiting.remove();
                key.taken++;
                entry.partition.taken++;
                taken.add(entry);
            }
        }
        return taken;
    }

    /** The record needs no more work. */
    synchronized void finished(Entry entry) {
        giveBack(entry);
        remove(entry);
        release(entry.key);
    }

    /** The record has to be taken again, not before this time; so have those behind it of its key. */
    synchronized void again(Entry entry, long notBefore) {
        giveBack(entry);
        Key key = entry.key;
        if (entry.partition.revoked) {
            remove(entry);
        } else {
            key.waiting.add(entry);
            if (notBefore - key.notBefore > 0) {
                key.notBefore = notBefore;
            }
        }
        release(key);
    }

    /** Forgets what waits of these partitions. What is taken keeps its key until it is given back. */
    synchronized void revoke(Collection<TopicPartition> gone) {
        for (TopicPartition of : gone) {
            Partition partition = partitions.remove(of);
            if (partition == null) {
                continue;
            }
            partition.revoked = true;
            for (Entry entry : List.copyOf(partition.entries)) {
                if (entry.key.waiting.remove(entry)) {
                    remove(entry);
                    forgetIfEmpty(entry.key);
                }
            }
        }
    }

    /**
     * Waits until every record of these partitions that was taken is given back.
     *
     * @return whether that happened in time
     */
    synchronized boolean awaitTaken(Collection<TopicPartition> of, Duration patience) throws InterruptedException {
        long deadline = nanoTime.getAsLong() + patience.toNanos();
        List<Partition> all = of.stream()
                .map(partitions::get)
                .filter(partition -> partition != null)
                .toList();
        while (all.stream().anyMatch(partition -> partition.taken > 0)) {
            long left = deadline - nanoTime.getAsLong();
            if (left <= 0) {
                return false;
            }
            waitNanos(left);
        }
        return true;
    }

    /** By partition, the offset below which every record is finished. */
    synchronized Map<TopicPartition, Long> lowWaters() {
        Map<TopicPartition, Long> waters = new HashMap<>();
        partitions.forEach((of, partition) ->
                waters.put(of, partition.unfinished.isEmpty() ? partition.next : partition.unfinished.first()));
        return waters;
    }

    /** The number of records that are not finished, of all assigned partitions. */
    synchronized int unfinished() {
        return partitions.values().stream()
                .mapToInt(partition -> partition.unfinished.size())
                .sum();
    }

    /** Ends the waits of the workers; nothing is taken any more. */
    synchronized void close() {
        closed = true;
        notifyAll();
    }

    private void giveBack(Entry entry) {
        entry.key.taken--;
        entry.partition.taken--;
        notifyAll();
    }

    private void remove(Entry entry) {
        entry.partition.entries.remove(entry);
        entry.partition.unfinished.remove(entry.offset);
        bytes -= entry.bytes;
    }

    private void release(Key key) {
        offer(key);
        forgetIfEmpty(key);
    }

    /** A key may be taken from if nothing of it is taken and something waits; its time has come or will come. */
    private void offer(Key key) {
        if (key.queued || key.taken > 0 || key.waiting.isEmpty()) {
            return;
        }
        key.queued = true;
        if (key.notBefore - nanoTime.getAsLong() > 0) {
            delayed.add(key);
        } else {
            ready.add(key);
        }
        notifyAll();
    }

    private void wake(long now) {
        while (!delayed.isEmpty() && delayed.element().notBefore - now <= 0) {
            ready.add(delayed.remove());
        }
    }

    private void forgetIfEmpty(Key key) {
        if (key.waiting.isEmpty() && key.taken == 0) {
            if (key.queued) {
                ready.remove(key);
                delayed.remove(key);
                key.queued = false;
            }
            if (key.name != null) {
                keys.remove(key.name, key);
            }
        }
    }

    @SuppressWarnings("WaitNotInLoop") // its callers loop
    private void waitNanos(long nanos) throws InterruptedException {
        long millis = Math.max(1, (nanos + 999_999) / 1_000_000);
        wait(millis);
    }
}
