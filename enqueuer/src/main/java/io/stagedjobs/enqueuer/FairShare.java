package io.stagedjobs.enqueuer;

import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Decides which lanes this enqueuer should move. From the same census every enqueuer computes the same quotas: the
 * lanes divided evenly, the remainder to enqueuers that already own more than that, then to the first ids. An owner
 * keeps its lanes up to its quota, so lanes move only when the number of enqueuers changes. If two enqueuers see
 * different censuses, both may want a lane; the one that takes it first gets it.
 */
final class FairShare {

    private FairShare() {}

    /** The lanes to own: the lanes already owned, up to the quota, then free ones. */
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
        // An owner of a remainder lane keeps it: a newcomer takes no lane from an owner within its quota.
        List<UUID> order = census.enqueuers().stream()
                .sorted(Comparator.comparing(enqueuer -> Collections.frequency(census.owners(), enqueuer) <= each))
                .toList();
        return each + (order.indexOf(census.me()) < remainder ? 1 : 0);
    }
}
