package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.Progress.JobRef;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * What is true of each job of a simulation, whatever the enqueuers believe, and the promises as checks on it. Told at
 * the moments that decide: a writer's commit, Kafka's commit, a commit that moves or deletes rows.
 */
final class Ledger {

    /** One staged job. */
    static final class Fact {
        final Job job;
        final int lane;
        /** The jobs of its key that the statement which staged it could see; they come first. */
        final List<Fact> before;
        /** Whether the broker refuses it when it is sent, until a person has mended that. */
        boolean refused;

        boolean mended;
        /** Whether it looks as if it might be refused, and is therefore sent alone. */
        boolean suspect;

        boolean committed;
        boolean takenBack;
        boolean published;
        boolean discarded;
        /** Where in the order of all records. */
        long position;

        Fact(Job job, int lane, List<Fact> before) {
            this.job = job;
            this.lane = lane;
            this.before = before;
        }

        boolean isRefused() {
            return refused && !mended;
        }

        @Override
        public String toString() {
            return job.name();
        }
    }

    private final Map<UUID, Fact> facts = new LinkedHashMap<>();
    private final Map<Integer, Progress> lastInKafka = new LinkedHashMap<>();
    private String violation;

    /** The first promise that was broken; null if none was. */
    String violation() {
        return violation;
    }

    void broken(String what) {
        if (violation == null) {
            violation = what;
        }
    }

    void staged(Fact fact) {
        facts.put(fact.job.jobId(), fact);
    }

    Fact of(Job job) {
        return facts.get(job.jobId());
    }

    /** A person has mended what the broker refused. */
    void mendAll() {
        facts.values().forEach(fact -> fact.mended = true);
    }

    int published() {
        return (int) facts.values().stream().filter(fact -> fact.published).count();
    }

    /** A commit that PostgreSQL forgot in a crash, or a roll-back. */
    void takenBack(Fact fact) {
        fact.takenBack = true;
        if (fact.published) {
            broken(fact + " is in Kafka, and PostgreSQL has lost its transaction");
        }
    }

    /** I3: everything that Kafka holds of the lane is gone from the database before more is sent. */
    void kafkaTransactionBegins(int lane, ModelStore store) {
        for (JobRef ref : lastInKafka.getOrDefault(lane, Progress.NONE).jobs()) {
            if (store.has(lane, ref.id())) {
                broken("I3: a Kafka transaction of lane " + lane + " begins while the row " + ref.id()
                        + " of the one before is still there");
            }
        }
    }

    /** Kafka's decision: from now on a read_committed reader gets these records. */
    void kafkaCommitted(int lane, List<Job> records, List<Long> positions, Progress progress) {
        Progress last = lastInKafka.getOrDefault(lane, Progress.NONE);
        if (records.isEmpty()) {
            if (!last.under(progress.channel()).equals(progress)) {
                broken("lane " + lane + " repeats another progress under channel " + progress.channel());
            }
            return;
        }
        List<JobRef> refs =
                records.stream().map(job -> JobRef.of(job.id(), job.jobId())).toList();
        if (progress == null || !progress.jobs().equals(refs)) {
            broken("I2: a Kafka transaction of lane " + lane + " does not carry its progress");
        } else if (progress.batch() != last.batch() + 1) {
            broken("batch " + progress.batch() + " of lane " + lane + " came after batch " + last.batch());
        }
        lastInKafka.put(lane, progress == null ? last : progress);
        for (int i = 0; i < records.size(); i++) {
            published(of(records.get(i)), positions.get(i));
        }
    }

    private void published(Fact fact, long position) {
        if (fact.published) {
            broken(fact + " was published twice");
        }
        if (!fact.committed || fact.takenBack) {
            broken(fact + " was published, but its transaction did not commit");
        }
        fact.published = true;
        fact.position = position;
        for (Fact earlier : fact.before) {
            if (!earlier.discarded && (!earlier.published || earlier.position > position)) {
                broken(fact + " overtook " + earlier);
            }
        }
    }

    /** I1, its first half. */
    void rowDeleted(Job job) {
        if (!of(job).published) {
            broken("I1: the row of " + of(job) + " was deleted, and Kafka does not hold it");
        }
    }

    /** I1, its second half. */
    void movedAside(Job job) {
        if (of(job).published) {
            broken("I1: " + of(job) + " was moved aside, and Kafka holds it");
        }
    }

    /**
     * After everything has drained: what was committed is published, discarded or waits for a person with good reason.
     */
    void drained(ModelStore store) {
        for (Fact fact : facts.values()) {
            boolean exists = fact.committed && !fact.takenBack;
            boolean parked = store.parked(fact);
            if (exists && !fact.published && !fact.discarded && !parked) {
                broken(fact + " was lost");
            }
            if (parked && !fact.refused && !followsRefused(fact)) {
                broken(fact + " is parked for no reason");
            }
        }
    }

    private boolean followsRefused(Fact fact) {
        return fact.job.key() != null
                && facts.values().stream()
                        .anyMatch(other -> other.refused
                                && other.job.id() < fact.job.id()
                                && other.job.topic().equals(fact.job.topic())
                                && fact.job.key().equals(other.job.key()));
    }

    /** For the trace: what of the jobs is not settled. */
    List<String> unsettled() {
        List<String> names = new ArrayList<>();
        for (Fact fact : facts.values()) {
            if (fact.committed && !fact.takenBack && !fact.published && !fact.discarded) {
                names.add(fact.toString());
            }
        }
        return names;
    }
}
