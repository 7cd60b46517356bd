package io.stagedjobs.enqueuer.diagnosis;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The port to the checks of Kafka. */
public interface KafkaChecks {

    /** Makes all checks, within seconds; they read only. One that cannot look keeps no other from looking. */
    Looked look(Questions questions);

    /**
     * What to look at.
     *
     * @param topics of jobs
     * @param payloadBytesMax the largest payload that applications may stage, 0 if that is not known
     * @param database its name for Kafka, null if that is not known
     * @param lanes how many there are
     */
    record Questions(
            Set<String> topics,
            int payloadBytesMax,
            @Nullable String database,
            int lanes) {}

    /**
     * What was seen.
     *
     * @param away why Kafka cannot be reached, null if it can
     * @param clock null if it could not be read
     */
    record Looked(@Nullable String away, @Nullable ClockOffset clock, List<Finding> findings) {}
}
