package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * A store with lanes, new for each test: {@link LanesContract} and {@link LaneTransactionContract} are tried on it. A
 * method that a port gets is first a sentence in one of them.
 */
interface LaneFixture {

    int LANE = 3;
    int OTHER_LANE = 4;

    /** Two topics. */
    String TOPIC = "t0";

    String OTHER_TOPIC = "t1";

    BatchLimits PLENTY = new BatchLimits(1_000, 1_000_000);

    Refusal MISSING = new Refusal(Refusal.Reason.TOPIC_MISSING, "the topic is missing");
    Refusal TOO_LARGE = new Refusal(Refusal.Reason.TOO_LARGE, "the job is too large");

    /** As an enqueuer sees them that lives. */
    Lanes lanes();

    /** As another one sees them, which lives too. */
    Lanes others();

    /** The enqueuer of {@link #lanes} shows no sign of life any more. */
    void dies();

    /** Two keys whose jobs of either topic are in {@link #LANE}. */
    List<String> keys();

    /** A key whose jobs of {@link #TOPIC} are in {@link #OTHER_LANE}. */
    String keyElsewhere();

    /** Begins a business transaction. */
    Writer writer();

    /** Runs a call that has to wait for a lane's lock; while it does, the other. */
    <T> T whileItWaits(Callable<T> call, Runnable meanwhile) throws Exception;

    /** A business transaction. */
    interface Writer extends AutoCloseable {

        /** Stages a job; one without a key goes to {@link #LANE}. */
        Row stage(String topic, String key, int payloadBytes);

        void commit();

        /** Rolls back unless committed. */
        @Override
        void close();
    }

    // What both contracts need.

    /** Stages a job in a transaction of its own. */
    default Row staged(String topic, String key, int payloadBytes) {
        try (Writer writer = writer()) {
            Row row = writer.stage(topic, key, payloadBytes);
            writer.commit();
            return row;
        }
    }

    default Row staged(String topic, String key) {
        return staged(topic, key, 10);
    }

    default String key() {
        return keys().get(0);
    }

    default long taken() {
        return lanes().take(LANE).orElseThrow().generation();
    }

    /** Something to do in a transaction that has locked {@link #LANE}. */
    interface Step<T> {
        T in(LaneTransaction transaction);
    }

    /** Takes the lane, and commits what is done. */
    default <T> T committed(Step<T> step) {
        try (LaneTransaction transaction = lanes().begin(LANE, taken()).orElseThrow()) {
            T result = step.in(transaction);
            transaction.commit();
            return result;
        }
    }

    /** What is in the lane, everything. */
    default List<Row> inLane() {
        return committed(transaction -> inLane(transaction));
    }

    default List<Row> inLane(LaneTransaction transaction) {
        return rows(transaction.read(criteria(PLENTY, Blocked.NOTHING, 0)).jobs());
    }

    static ReadCriteria criteria(BatchLimits limits, Blocked blocked, long after) {
        return new ReadCriteria(after, Set.of(), blocked, limits);
    }

    static List<Row> rows(List<Job> jobs) {
        return jobs.stream().map(Row::of).toList();
    }

    static Moved held(Row row) {
        return new Moved(row, true, MISSING);
    }

    static Moved parked(Row row) {
        return new Moved(row, false, TOO_LARGE);
    }
}
