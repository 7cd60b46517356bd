package io.stagedjobs.spring;

import io.stagedjobs.schema.Schema;
import java.util.Map;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Settings of Staged Jobs in an application.
 *
 * @param schema Schema that holds the tables of Staged Jobs.
 * @param wakeUp Whether to wake the enqueuers after each commit that staged jobs; without it a job may wait for their
 *     poll.interval.
 * @param migrate Whether to install or upgrade the tables when the application starts. Its role must then be allowed to
 *     create them.
 * @param enqueuer Settings of the enqueuer inside the application, under their usual names.
 */
@ConfigurationProperties(StagedJobsProperties.PREFIX)
record StagedJobsProperties(
        @DefaultValue("public") String schema,
        @DefaultValue("true") boolean wakeUp,
        @DefaultValue("false") boolean migrate,
        @DefaultValue Map<String, String> enqueuer) {

    static final String PREFIX = "staged-jobs";

    Schema inSchema() {
        return Schema.named(schema);
    }

    /** Shows only the keys of the enqueuer's settings: some values are secrets. */
    @Override
    public String toString() {
        return "StagedJobsProperties[schema=" + schema + ", wakeUp=" + wakeUp + ", migrate=" + migrate + ", enqueuer="
                + enqueuer.keySet() + "]";
    }
}
