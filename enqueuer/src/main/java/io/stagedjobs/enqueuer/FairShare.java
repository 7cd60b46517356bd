package io.stagedjobs.enqueuer;

import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Decides which lanes this enqueuer should move. Every enqueuer computes the same quotas from the same census: the
 * lanes divided evenly, the remainder to those who have more than that already, then to the first ids. An owner keeps
 * what it has up to its quota, so that lanes move only when the number of enqueuers changes. While two enqueuers see
 * different censuses they may both want a lane; taking it is what decides.
 */
final class FairShare {

    private FairShare() {}

    /** Lanes to own: those owned already, up to the quota, then free ones. */
    static SortedSet<Integer> of(Membership.Census census) {
        int quota = quota(census);
        SortedSet<Integer> wanted = census.ours().stream().limit(quota).collect(Collectors.toCollection(TreeSet::new));
        for (int lane = 0; lane < census.owners().size() && wanted.size() < quota; lane++) {
            if (census.owners().get(lane) == null) {
                wanted.add(lane);
            }
        }
        return wanted;
    }

    private static int quota(Membership.Census census) {
        int each = census.owners().size() / census.enqueuers().size();
        int remainder = census.owners().size() % census.enqueuers().size();
        // Who has one of the remainder keeps it: a newcomer takes nothing from an owner that has its share.
        List<UUID> order = census.enqueuers().stream()
                .sorted(Comparator.comparing(enqueuer -> Collections.frequency(census.owners(), enqueuer) <= each))
                .toList();
        return each + (order.indexOf(census.me()) < remainder ? 1 : 0);
    }
}
