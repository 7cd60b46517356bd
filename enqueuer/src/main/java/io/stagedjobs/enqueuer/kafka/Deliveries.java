package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Outcome;
import io.stagedjobs.enqueuer.Outcome.Refusal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;

/**
 * The acknowledgements of one batch. Each job has its own callback, called by the producer's thread; one other thread
 * waits. The producer answers every record it took, after its delivery timeout at the latest.
 */
final class Deliveries {

    private final List<Job> jobs;
    private final @Nullable Exception[] errors;
    private final boolean[] answered;
    private final CountDownLatch open;
    private @Nullable Exception failure;

    private Deliveries(List<Job> jobs) {
        this.jobs = jobs;
        this.errors = new @Nullable Exception[jobs.size()];
        this.answered = new boolean[jobs.size()];
        this.open = new CountDownLatch(jobs.size());
    }

    /**
     * Hands the jobs to the producer in their order. Stops at the first failure: what follows must not overtake, nor wait
     * for a cluster that is away.
     */
    @SuppressWarnings("FutureReturnValueIgnored") // the callback learns the same, without an object to wait on
    static Deliveries send(List<Job> jobs, Producer<byte[], byte[]> producer, CloudEvents cloudEvents) {
        Deliveries deliveries = new Deliveries(jobs);
        for (int i = 0; i < jobs.size(); i++) {
            Exception failure = deliveries.failure();
            if (failure != null) {
                deliveries.notSent(i, failure);
                break;
            }
            try {
                producer.send(cloudEvents.record(jobs.get(i)), deliveries.callback(i));
            } catch (KafkaException | IllegalStateException e) {
                deliveries.notSent(i, e);
            }
        }
        return deliveries;
    }

    private Callback callback(int index) {
        return (metadata, error) -> answer(index, error);
    }

    /** The jobs from that index on are not handed to the producer any more. */
    private void notSent(int from, Exception error) {
        for (int i = from; i < jobs.size(); i++) {
            answer(i, error);
        }
    }

    /** The first error that concerns more than one topic, null so far: nothing more is worth sending after it. */
    private synchronized @Nullable Exception failure() {
        return failure;
    }

    private synchronized void answer(int index, @Nullable Exception error) {
        if (!answered[index]) {
            answered[index] = true;
            errors[index] = error;
            if (error != null
                    && failure == null
                    && KafkaErrors.refusal(error, jobs.get(index).id()).isEmpty()) {
                failure = error;
            }
            open.countDown();
        }
    }

    /** Waits until every record is answered, then says what became of them. */
    Outcome await(Map<String, Refusal> refusedBefore) throws InterruptedException {
        open.await();
        return outcome(refusedBefore);
    }

    private synchronized Outcome outcome(Map<String, Refusal> refusedBefore) {
        List<Job> published = new ArrayList<>(jobs.size());
        Map<String, Refusal> refused = new HashMap<>(refusedBefore);
        int failed = 0;
        for (int i = 0; i < jobs.size(); i++) {
            Job job = jobs.get(i);
            Exception error = errors[i];
            if (error == null) {
                published.add(job);
                continue;
            }
            Refusal refusal = KafkaErrors.refusal(error, job.id()).orElse(null);
            if (refusal != null) {
                refused.putIfAbsent(job.topic(), refusal);
            } else {
                failed++;
            }
        }
        String reason = failure == null
                ? null
                : "Kafka did not take " + failed + " of " + jobs.size() + " jobs (" + KafkaErrors.oneLine(failure)
                        + ")";
        return new Outcome(published, refused, reason);
    }
}
