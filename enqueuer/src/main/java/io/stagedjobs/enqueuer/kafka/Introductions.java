package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Job;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;

/**
 * Acquaints one producer with topics before a batch needs them. On its own it asks about each topic when its first
 * record is sent, one after the other; a batch of many new topics would use up its time with that. Topics that are
 * asked for at the same time share a question: 200 took 0.15 to 0.3 s instead of 1.3 to 2.6 s. Safe for use by many
 * threads.
 */
final class Introductions {

    /** So many topics share a question. */
    private static final int AT_ONCE = 32;

    private static final long KEEP_ALIVE_SECONDS = 10;

    private final Producer<byte[], byte[]> producer;
    private final ExecutorService threads;
    private final long waitMaxNanos;
    private final long rememberedNanos;

    /** By topic, when it was asked about or used last; a producer forgets those that it does not use for a while. */
    private final Map<String, Long> metAt = new ConcurrentHashMap<>();

    /** @param threads as {@link #threads} makes them; they may be shared with other producers */
    Introductions(Producer<byte[], byte[]> producer, ExecutorService threads, KafkaClientSettings settings) {
        this.producer = producer;
        this.threads = threads;
        this.waitMaxNanos = settings.lookUpMax().toNanos();
        this.rememberedNanos = settings.topicsRemembered().toNanos() / 2;
    }

    /** Threads for introductions, none while there are none to make. */
    static ExecutorService threads() {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                AT_ONCE, AT_ONCE, KEEP_ALIVE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), work -> {
                    Thread thread = new Thread(work, "staged-jobs-topics");
                    thread.setDaemon(true);
                    return thread;
                });
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    /**
     * The first of the jobs, up to one of a topic that the producer could not be acquainted with in the time of a
     * look-up.
     */
    List<Job> met(List<Job> jobs) throws InterruptedException {
        long now = System.nanoTime();
        Set<String> strangers = new LinkedHashSet<>();
        for (Job job : jobs) {
            Long at = metAt.get(job.topic());
            if (at == null || now - at > rememberedNanos) {
                strangers.add(job.topic());
            }
        }
        if (strangers.size() > 1) { // one is met by its first record just as well
            introduce(strangers);
        }
        List<Job> met = new ArrayList<>(jobs.size());
        for (Job job : jobs) {
            if (strangers.size() > 1 && !met.isEmpty() && !metAt.containsKey(job.topic())) {
                break;
            }
            met.add(job);
        }
        met.forEach(job -> metAt.put(job.topic(), now));
        return met;
    }

    private void introduce(Set<String> topics) throws InterruptedException {
        List<Callable<Void>> questions = new ArrayList<>(topics.size());
        for (String topic : topics) {
            metAt.remove(topic);
            questions.add(() -> {
                try {
                    producer.partitionsFor(topic);
                    metAt.put(topic, System.nanoTime());
                } catch (KafkaException asItsFirstRecordWillTell) {
                    // nothing is known
                }
                return null;
            });
        }
        threads.invokeAll(questions, waitMaxNanos, TimeUnit.NANOSECONDS);
    }
}
