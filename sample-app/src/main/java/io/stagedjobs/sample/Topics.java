package io.stagedjobs.sample;

import java.util.Set;

/**
 * The topics that the sample writes and reads.
 *
 * @param prefix of all names, so that several samples can share a Kafka
 */
public record Topics(String prefix) {

    public static final Topics DEFAULT = new Topics("");

    /** What happened to users. */
    public String users() {
        return prefix + "users";
    }

    /** Completed orders. */
    String orders() {
        return prefix + "orders";
    }

    /** Contracts that were stored or given up. */
    String contracts() {
        return prefix + "contracts";
    }

    /** Contracts to be aggregated. */
    String aggregations() {
        return prefix + "contract-aggregations";
    }

    /** Contracts whose aggregation failed, to be retried later. */
    String retries() {
        return prefix + "contract-retries";
    }

    public Set<String> all() {
        return Set.of(users(), orders(), contracts(), aggregations(), retries());
    }

    /** The consumer group of this name that reads these topics. */
    String group(String name) {
        return prefix + name;
    }
}
