package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.BackgroundThreads;
import io.stagedjobs.enqueuer.Job;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;

/**
 * Loads the metadata of topics into one producer before a batch needs them. The producer itself asks about each topic
 * when its first record is sent, one after the other; a batch of many new topics would use up its time with that.
 * Topics requested at the same time share a question: 200 took 0.15 to 0.3 s instead of 1.3 to 2.6 s. Thread-safe.
 */
final class TopicMetadata {

    /** The number of topics in one question. */
    private static final int AT_ONCE = 32;

    private final Producer<byte[], byte[]> producer;
    private final ExecutorService threads;
    private final long waitMaxNanos;
    private final long rememberedNanos;

    /** By topic, the time of the last question or use; a producer drops topics that it does not use for a while. */
    private final Map<String, Long> loadedAt = new ConcurrentHashMap<>();

    /** @param threads from {@link #threads}; other producers may share them */
    TopicMetadata(Producer<byte[], byte[]> producer, ExecutorService threads, KafkaClientSettings settings) {
        this.producer = producer;
        this.threads = threads;
        this.waitMaxNanos = settings.lookUpMax().toNanos();
        this.rememberedNanos = settings.topicsRemembered().toNanos() / 2;
    }

    /** Threads that load; they exist only while needed. */
    static ExecutorService threads() {
        return BackgroundThreads.pool("staged-jobs-topics", AT_ONCE, Integer.MAX_VALUE);
    }

    /** The first of the jobs, up to a job whose topic's metadata did not come within the time of a look-up. */
    List<Job> loaded(List<Job> jobs) throws InterruptedException {
        long now = System.nanoTime();
        Set<String> missing = new LinkedHashSet<>();
        for (Job job : jobs) {
            Long at = loadedAt.get(job.topic());
            if (at == null || now - at > rememberedNanos) {
                missing.add(job.topic());
            }
        }
        if (missing.size() > 1) { // a single one loads just as well with its first record
            load(missing);
        }
        List<Job> loaded = new ArrayList<>(jobs.size());
        for (Job job : jobs) {
            if (missing.size() > 1 && !loaded.isEmpty() && !loadedAt.containsKey(job.topic())) {
                break;
            }
            loaded.add(job);
        }
        loaded.forEach(job -> loadedAt.put(job.topic(), now));
        return loaded;
    }

    private void load(Set<String> topics) throws InterruptedException {
        List<Callable<Void>> questions = new ArrayList<>(topics.size());
        for (String topic : topics) {
            loadedAt.remove(topic);
            questions.add(() -> {
                try {
                    producer.partitionsFor(topic);
                    loadedAt.put(topic, System.nanoTime());
                } catch (KafkaException asItsFirstRecordWillTell) {
                    // nothing is known
                }
                return null;
            });
        }
        threads.invokeAll(questions, waitMaxNanos, TimeUnit.NANOSECONDS);
    }
}
