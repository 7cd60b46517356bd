package io.stagedjobs.consumer;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

class WindowTest {

    private static final TopicPartition USERS = new TopicPartition("users", 0);
    private static final TopicPartition OTHERS = new TopicPartition("users", 1);
    private static final Duration NOW = Duration.ZERO;
    private static final int SEEDS = Integer.getInteger("window.seeds", 3_000);

    private final AtomicLong clock = new AtomicLong(-1_000); // as System.nanoTime, it may be negative
    private final Window<String> window = new Window<>(new Window.Limits(5, 1_000), clock::get);

    private void assign() {
        window.assign(USERS, 0);
    }

    private void add(long offset, String key) {
        window.add(USERS, offset, key, key + offset, 10);
    }

    private List<Window<String>.Entry> take(int max) {
        try {
            return window.take(max, NOW);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static List<String> records(List<Window<String>.Entry> entries) {
        return entries.stream().map(entry -> entry.record).toList();
    }

    private long lowWater() {
        return window.lowWaters().get(USERS);
    }

    @Test
    void records_of_a_key_come_one_after_the_other_and_other_keys_meanwhile() {
        assign();
        add(0, "a");
        add(1, "a");
        add(2, "b");
        List<Window<String>.Entry> first = take(1);
        assertThat(records(first)).containsExactly("a0");
        assertThat(records(take(5))).containsExactly("b2");
        assertThat(take(5)).isEmpty();
        window.finished(first.get(0));
        assertThat(records(take(5))).containsExactly("a1");
    }

    @Test
    void one_that_has_to_wait_keeps_its_key_and_no_other() {
        assign();
        add(0, "a");
        add(1, "a");
        add(2, "b");
        window.again(take(1).get(0), clock.get() + 100);
        assertThat(records(take(5))).containsExactly("b2");
        assertThat(take(5)).isEmpty();
        clock.addAndGet(100);
        assertThat(records(take(5))).containsExactly("a0", "a1");
    }

    @Test
    void the_low_water_waits_for_the_first_one_that_is_not_finished_and_passes_marks_of_transactions() {
        assign();
        add(0, "a");
        add(1, "b");
        add(3, "c");
        window.readTo(USERS, 5);
        List<Window<String>.Entry> all = take(5);
        window.finished(all.get(2));
        window.finished(all.get(1));
        assertThat(lowWater()).isZero();
        window.finished(all.get(0));
        assertThat(lowWater()).isEqualTo(5);
    }

    @Test
    void a_partition_is_full_with_too_many_records_or_bytes() {
        assign();
        window.assign(OTHERS, 0);
        for (int i = 0; i < 5; i++) {
            assertThat(window.isFull(USERS)).isFalse();
            add(i, "k" + i);
        }
        assertThat(window.isFull(USERS)).isTrue();
        assertThat(window.isFull(OTHERS)).isFalse();
        window.add(OTHERS, 0, "large", "large", 1_000);
        assertThat(window.isFull(OTHERS)).isTrue();
        take(10).forEach(window::finished);
        assertThat(window.isFull(USERS)).isFalse();
        assertThat(window.isFull(OTHERS)).isFalse();
        assertThat(window.unfinished()).isZero();
    }

    @Test
    void a_key_that_is_taken_when_its_partition_goes_is_not_taken_again_before_it_is_given_back() {
        assign();
        add(0, "a");
        add(1, "a");
        Window<String>.Entry before = take(1).get(0);
        window.revoke(Set.of(USERS));
        assertThat(take(5)).isEmpty();
        window.assign(USERS, 0);
        add(0, "a");
        assertThat(take(5)).isEmpty();
        window.finished(before);
        assertThat(lowWater()).isZero();
        assertThat(records(take(5))).containsExactly("a0");
    }

    @Test
    void what_is_taken_may_be_awaited() throws Exception {
        assign();
        add(0, "a");
        Window<String>.Entry taken = take(1).get(0);
        assertThat(window.awaitTaken(Set.of(USERS), NOW)).isFalse();
        Window<String> real = new Window<>(new Window.Limits(5, 1_000), System::nanoTime);
        real.assign(USERS, 0);
        real.add(USERS, 0, "a", "a0", 1);
        Window<String>.Entry running = real.take(1, NOW).get(0);
        ExecutorService worker = Executors.newSingleThreadExecutor();
        try {
            Future<?> finished = worker.submit(() -> real.finished(running));
            assertThat(real.awaitTaken(Set.of(USERS), Duration.ofSeconds(30))).isTrue();
            finished.get(30, TimeUnit.SECONDS);
        } finally {
            worker.shutdownNow();
        }
        window.finished(taken);
        assertThat(window.awaitTaken(Set.of(USERS), NOW)).isTrue();
    }

    /** What a window must do, told by the simplest means. */
    private static final class Model {
        final Map<TopicPartition, TreeMap<Long, String>> unfinished = new HashMap<>();
        final Map<TopicPartition, Long> next = new HashMap<>();
        final Map<String, List<Long>> finishedOfKey = new HashMap<>();
        final Set<String> keysTaken = new HashSet<>();
    }

    private record Taken(TopicPartition partition, int assignment, Window<String>.Entry entry, String key) {}

    @Test
    void nothing_is_swallowed_no_key_is_taken_twice_and_no_low_water_passes_an_unfinished_record() {
        for (int seed = 0; seed < SEEDS; seed++) {
            try {
                run(new Random(seed));
            } catch (AssertionError e) {
                throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private static void run(Random random) {
        AtomicLong time = new AtomicLong(random.nextLong());
        Window<String> window = new Window<>(new Window.Limits(20, 10_000), time::get);
        Model model = new Model();
        Map<TopicPartition, Integer> assignments = new HashMap<>();
        List<Taken> taken = new ArrayList<>();
        TopicPartition[] partitions = {USERS, OTHERS};
        for (int step = 0; step < 200; step++) {
            TopicPartition partition = partitions[random.nextInt(2)];
            TreeMap<Long, String> its = model.unfinished.get(partition);
            switch (random.nextInt(10)) {
                case 0 -> {
                    if (its == null) {
                        window.assign(partition, model.next.getOrDefault(partition, 0L));
                        model.unfinished.put(partition, new TreeMap<>());
                        model.next.putIfAbsent(partition, 0L);
                        assignments.merge(partition, 1, Integer::sum);
                    } else if (random.nextInt(4) == 0) {
                        // Begins again where the low water stood.
                        model.next.put(partition, window.lowWaters().get(partition));
                        window.revoke(Set.of(partition));
                        model.unfinished.remove(partition);
                    }
                }
                case 1, 2, 3 -> {
                    if (its != null && !window.isFull(partition)) {
                        long offset = model.next.get(partition);
                        // A key lives in one partition.
                        String key = partition.partition() + "k" + random.nextInt(4);
                        window.add(partition, offset, key, key, 10);
                        its.put(offset, key);
                        model.next.put(partition, offset + 1 + random.nextInt(2));
                        window.readTo(partition, model.next.get(partition));
                    }
                }
                case 4, 5, 6 -> {
                    Map<String, Long> lastOfKey = new HashMap<>();
                    Set<String> before = new HashSet<>(model.keysTaken);
                    for (Window<String>.Entry entry : takeNow(window, 1 + random.nextInt(4))) {
                        String key = entry.record;
                        assertThat(before).as("keys taken before").doesNotContain(key);
                        TopicPartition of = partitions[key.charAt(0) - '0'];
                        assertThat(entry.offset).isGreaterThan(lastOfKey.getOrDefault(key, -1L));
                        lastOfKey.put(key, entry.offset);
                        assertThat(model.unfinished.get(of)).containsEntry(entry.offset, key);
                        // Everything of the key below is finished, or taken together with it.
                        long earlier = model.unfinished.get(of).headMap(entry.offset).entrySet().stream()
                                .filter(other -> other.getValue().equals(key))
                                .filter(other -> taken.stream()
                                        .noneMatch(one -> one.key.equals(key)
                                                && one.entry.offset == other.getKey()
                                                && one.assignment == assignments.get(of)))
                                .count();
                        assertThat(earlier).isZero();
                        model.keysTaken.add(key);
                        taken.add(new Taken(of, assignments.get(of), entry, key));
                    }
                }
                case 7, 8 -> {
                    if (!taken.isEmpty()) {
                        String key = taken.get(random.nextInt(taken.size())).key;
                        boolean again = random.nextInt(3) == 0;
                        for (Taken one : List.copyOf(taken)) {
                            if (!one.key.equals(key)) {
                                continue;
                            }
                            taken.remove(one);
                            if (again) {
                                window.again(one.entry, time.get() + random.nextInt(50));
                            } else {
                                window.finished(one.entry);
                                if (model.unfinished.containsKey(one.partition)
                                        && assignments.get(one.partition) == one.assignment) {
                                    model.unfinished.get(one.partition).remove(one.entry.offset);
                                }
                            }
                        }
                        model.keysTaken.remove(key);
                    }
                }
                default -> time.addAndGet(random.nextInt(40));
            }
            Map<TopicPartition, Long> waters = window.lowWaters();
            assertThat(waters.keySet()).isEqualTo(model.unfinished.keySet());
            model.unfinished.forEach((of, all) -> assertThat(waters.get(of))
                    .as("low water of " + of)
                    .isEqualTo(all.isEmpty() ? model.next.get(of) : all.firstKey()));
        }
        // In the end everything that is assigned comes out.
        taken.forEach(one -> {
            window.finished(one.entry);
            if (model.unfinished.containsKey(one.partition) && assignments.get(one.partition) == one.assignment) {
                model.unfinished.get(one.partition).remove(one.entry.offset);
            }
        });
        time.addAndGet(1_000);
        for (List<Window<String>.Entry> more = takeNow(window, 3); !more.isEmpty(); more = takeNow(window, 3)) {
            more.forEach(entry -> {
                model.unfinished.get(partitions[entry.record.charAt(0) - '0']).remove(entry.offset);
                window.finished(entry);
            });
        }
        assertThat(model.unfinished.values())
                .allSatisfy(left -> assertThat(left).isEmpty());
        assertThat(window.unfinished()).isZero();
    }

    private static List<Window<String>.Entry> takeNow(Window<String> window, int max) {
        try {
            return window.take(max, NOW);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void many_workers_and_one_that_adds_lose_nothing_and_keep_the_order_of_each_key() throws Exception {
        Window<Long> shared = new Window<>(new Window.Limits(100, 1_000_000), System::nanoTime);
        shared.assign(USERS, 0);
        int records = 20_000;
        int keys = 50;
        List<List<Long>> handled = IntStream.range(0, keys)
                .mapToObj(i -> (List<Long>) new ArrayList<Long>())
                .toList();
        ExecutorService workers = Executors.newFixedThreadPool(4);
        try {
            List<Future<?>> all = new ArrayList<>();
            for (int worker = 0; worker < 4; worker++) {
                Random random = new Random(worker);
                all.add(workers.submit(() -> {
                    while (true) {
                        List<Window<Long>.Entry> mine = shared.take(1 + random.nextInt(10), Duration.ofMillis(100));
                        if (mine.isEmpty() && shared.lowWaters().get(USERS) == records) {
                            return null;
                        }
                        for (Window<Long>.Entry entry : mine) {
                            // Without a lock: a key on two threads would lose some.
                            handled.get((int) (entry.record % keys)).add(entry.record);
                        }
                        mine.forEach(shared::finished);
                    }
                }));
            }
            for (long offset = 0; offset < records; offset++) {
                while (shared.isFull(USERS)) {
                    Thread.onSpinWait();
                }
                shared.add(USERS, offset, offset % keys, offset, 1);
            }
            for (Future<?> one : all) {
                one.get(60, TimeUnit.SECONDS);
            }
        } finally {
            workers.shutdownNow();
        }
        for (int key = 0; key < keys; key++) {
            long its = key;
            assertThat(handled.get(key))
                    .containsExactlyElementsOf(LongStream.range(0, records)
                            .filter(record -> record % keys == its)
                            .boxed()
                            .toList());
        }
    }
}
