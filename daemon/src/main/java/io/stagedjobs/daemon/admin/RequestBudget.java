package io.stagedjobs.daemon.admin;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * How many requests each client address may make: a bucket of tokens that fills by itself. Safe for use by many
 * threads.
 */
final class RequestBudget {

    /** Addresses remembered at most; the one that asked longest ago is forgotten first. */
    private static final int ADDRESSES_MAX = 10_000;

    private static final double NANOS = 1e9;

    private record Bucket(double tokens, long at) {}

    private final double burst;
    private final double perSecond;
    private final LongSupplier nanos;

    private final Map<String, Bucket> buckets = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Bucket> eldest) {
            return size() > ADDRESSES_MAX;
        }
    };

    /**
     * @param burst requests at once
     * @param perSecond requests in the long run
     * @param nanos of a clock that cannot jump
     */
    RequestBudget(double burst, double perSecond, LongSupplier nanos) {
        this.burst = burst;
        this.perSecond = perSecond;
        this.nanos = nanos;
    }

    /** Takes one token; returns 0, or after how many seconds there will be one. */
    synchronized int take(String address) {
        long now = nanos.getAsLong();
        Bucket before = buckets.getOrDefault(address, new Bucket(burst, now));
        double tokens = Math.min(burst, before.tokens + (now - before.at) / NANOS * perSecond);
        boolean enough = tokens >= 1;
        buckets.put(address, new Bucket(enough ? tokens - 1 : tokens, now));
        return enough ? 0 : (int) Math.ceil((1 - tokens) / perSecond);
    }
}
