package io.stagedjobs.enqueuer.diagnosis;

import io.stagedjobs.enqueuer.ExternalFailureException;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The port to the checks of PostgreSQL. */
public interface DatabaseChecks {

    /**
     * Makes all checks, each in a short transaction of its own that reads only. One that cannot look keeps no other
     * from looking.
     *
     * @throws ExternalFailureException if PostgreSQL cannot be reached; its words say what to do
     */
    Looked look();

    /**
     * What was seen.
     *
     * @param work null if it could not be read: a finding says why
     * @param name of the database for Kafka, null if it could not be read
     * @param payloadBytesMax the largest payload that applications may stage, 0 if that could not be read
     * @param topics of jobs that wait or are held, as many as are worth asking for
     * @param clock null if it could not be read
     */
    record Looked(
            @Nullable Work work,
            @Nullable String name,
            int payloadBytesMax,
            Set<String> topics,
            @Nullable ClockOffset clock,
            List<Finding> findings) {}
}
