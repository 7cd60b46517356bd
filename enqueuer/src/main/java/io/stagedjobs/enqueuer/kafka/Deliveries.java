package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Outcome;
import io.stagedjobs.enqueuer.Refusal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The acknowledgements of one batch. The producer's thread calls a callback for each record; one other thread waits.
 * The producer answers every accepted record, after its delivery timeout at the latest.
 */
final class Deliveries {

    private final List<Job> jobs;
    private final @Nullable Exception[] errors;
    private final boolean[] answered;
    private final CountDownLatch open;

    /** By error, the first record that got it as answer. */
    private final IdentityHashMap<Exception, Integer> firstWith = new IdentityHashMap<>();

    /** The first error that concerns more than one topic, null if there is none: after it, sending more is useless. */
    private volatile @Nullable Exception failure;

    private Deliveries(List<Job> jobs, int records) {
        this.jobs = jobs;
        this.errors = new @Nullable Exception[records];
        this.answered = new boolean[records];
        this.open = new CountDownLatch(records);
    }

    /**
     * Gives the jobs to the producer in their order, then the progress. Stops at the first failure, since later jobs
     * must not overtake or wait for a cluster that is down, and at the deadline (of {@link System#nanoTime}).
     *
     * @param sending the jobs, and their records
     * @param progress null if the delivery mode keeps none
     */
    @SuppressWarnings("FutureReturnValueIgnored") // the callback gets the same result
    static Deliveries send(
            CloudEvents.Records sending,
            @Nullable ProducerRecord<byte[], byte[]> progress,
            Producer<byte[], byte[]> producer,
            long deadline) {
        List<Job> jobs = sending.jobs();
        int records = jobs.size() + (progress == null ? 0 : 1);
        Deliveries deliveries = new Deliveries(jobs, records);
        for (int i = 0; i < records; i++) {
            Exception failure = System.nanoTime() - deadline > 0
                    ? new TimeoutException("the batch had no time left to send the rest")
                    : deliveries.failure;
            if (failure != null) {
                deliveries.notSent(i, failure);
                break;
            }
            try {
                ProducerRecord<byte[], byte[]> record = i == jobs.size() && progress != null
                        ? progress
                        : sending.records().get(i);
                producer.send(record, deliveries.callback(i));
            } catch (KafkaException | IllegalStateException e) {
                deliveries.notSent(i, e);
                break;
            }
        }
        return deliveries;
    }

    private Callback callback(int index) {
        return (metadata, error) -> answer(index, error);
    }

    /** The records from this index on are not given to the producer any more. */
    private void notSent(int from, Exception error) {
        for (int i = from; i < answered.length; i++) {
            answer(i, error);
        }
    }

    private synchronized void answer(int index, @Nullable Exception error) {
        if (!answered[index]) {
            answered[index] = true;
            errors[index] = error == null ? null : own(index, error);
            if (error != null
                    && failure == null
                    && (index == jobs.size()
                            || (KafkaErrors.refusalOfTopic(error).isEmpty()
                                    && refusalOfJob(error, jobs.get(index)).isEmpty()))) {
                failure = error;
            }
            open.countDown();
        }
    }

    /**
     * The meaning of an answer for its own record. When Kafka refuses a record in a transaction, the producer fails all
     * records behind it with the same error, which is true only of the first one, or of all jobs of its topic.
     */
    private Exception own(int index, Exception error) {
        int first = firstWith.computeIfAbsent(error, unseen -> index);
        boolean ofItsTopic = Math.max(first, index) < jobs.size()
                && jobs.get(first).topic().equals(jobs.get(index).topic())
                && KafkaErrors.refusalOfTopic(error).isPresent();
        if (first == index || ofItsTopic) {
            return error;
        }
        return new KafkaException("undone together with another record (" + KafkaErrors.oneLine(error) + ")", error);
    }

    private Optional<Refusal> refusalOfJob(Exception error, Job job) {
        return KafkaErrors.refusalOfJob(error, job, jobs.size() == 1);
    }

    /** Waits until every record is answered, at most until this time of {@link System#nanoTime}. */
    boolean await(long deadline) throws InterruptedException {
        return open.await(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
    }

    /** The batch's outcome up to now; a record without an answer counts as failed. */
    synchronized Outcome outcome(Map<String, Refusal> refusedBefore) {
        List<Job> published = new ArrayList<>(jobs.size());
        Map<String, Refusal> refusedTopics = new HashMap<>(refusedBefore);
        Map<Long, Refusal> refusedJobs = new HashMap<>();
        int failed = 0;
        for (int i = 0; i < jobs.size(); i++) {
            Job job = jobs.get(i);
            Exception error = errors[i];
            if (answered[i] && error == null) {
                published.add(job);
            } else if (error == null) {
                failed++;
            } else {
                Optional<Refusal> ofTopic = KafkaErrors.refusalOfTopic(error);
                Optional<Refusal> ofJob = refusalOfJob(error, job);
                ofTopic.ifPresent(refusal -> refusedTopics.putIfAbsent(job.topic(), refusal));
                ofJob.ifPresent(refusal -> refusedJobs.put(job.id(), refusal));
                failed += ofTopic.isEmpty() && ofJob.isEmpty() ? 1 : 0;
            }
        }
        String why = " (" + (failure == null ? "no answer in time" : KafkaErrors.oneLine(failure)) + ")";
        String reason = null;
        if (failed > 0) {
            reason = "Kafka did not take " + failed + " of " + jobs.size() + " jobs" + why;
        } else if (!progressTaken()) {
            reason = "Kafka did not take the batch's progress" + why;
        }
        return new Outcome(published, refusedTopics, refusedJobs, reason);
    }

    /** Whether the progress was refused for its size. */
    synchronized boolean progressTooLarge() {
        return answered.length > jobs.size() && errors[jobs.size()] instanceof RecordTooLargeException;
    }

    private boolean progressTaken() {
        int progress = jobs.size();
        return answered.length == progress || (answered[progress] && errors[progress] == null);
    }
}
