package io.stagedjobs.consumer;

import java.util.Optional;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * Where a consumer begins with a partition.
 *
 * @param offset null if a person has to decide first
 * @param reason why it is not simply where Kafka says; empty if it is
 */
record Beginning(@Nullable Long offset, String reason) {

    /** The metadata of the offsets that we commit. A person's tool writes none. */
    static final String OURS = "staged-jobs";

    /**
     * Compares what Kafka and the database remember.
     *
     * @param committed what the group has in Kafka; empty if that has nothing, or no more
     * @param mark what the database has
     * @param topicId the id that the topic has now
     * @param position where Kafka's consumer would begin
     */
    static Beginning of(Optional<OffsetAndMetadata> committed, Optional<Mark> mark, Uuid topicId, long position) {
        Optional<Mark> valid = mark.filter(its -> its.topicId().equals(topicId));
        if (committed.isEmpty()) {
            return valid.map(its -> new Beginning(
                            its.nextOffset(), "Kafka has no offset of the group any more, the database has its mark"))
                    .orElseGet(() -> new Beginning(
                            position, mark.isPresent() ? "the topic was made anew, its mark is void" : ""));
        }
        long offset = committed.get().offset();
        if (!OURS.equals(committed.get().metadata())) {
            return new Beginning(
                    offset,
                    mark.isEmpty()
                            ? ""
                            : "somebody has set the group's offset; jobs that the inbox still knows are skipped");
        }
        if (valid.isEmpty()) {
            return mark.isPresent()
                    ? new Beginning(position, "the topic was made anew, its mark is void")
                    : new Beginning(
                            null,
                            "Kafka says that this consumer has finished everything below offset " + offset
                                    + ", and its database knows nothing of it: the database is another one, or was"
                                    + " emptied. Nothing is read. If the jobs below are to be handled again, reset the"
                                    + " group's offset (kafka-consumer-groups.sh --reset-offsets), else set it to "
                                    + offset + " with the same command");
        }
        long finished = valid.get().nextOffset();
        return new Beginning(
                finished,
                finished < offset
                        ? "the database has lost commits: jobs from offset " + finished + " to " + offset
                                + " are handled again where the inbox does not know them"
                        : "");
    }
}
