package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class FairShareTest {

    private static List<UUID> enqueuers(int count) {
        return LongStream.range(0, count).mapToObj(i -> new UUID(0, i)).toList();
    }

    private static Set<Integer> share(UUID me, List<UUID> owners, List<UUID> enqueuers) {
        return FairShare.of(new Membership.Census(me, owners, enqueuers, Set.of()));
    }

    @Test
    void one_enqueuer_takes_all_lanes() {
        UUID me = new UUID(0, 0);
        assertThat(share(me, Collections.nCopies(8, null), List.of(me))).hasSize(8);
    }

    @Test
    void a_second_one_gets_what_the_first_gives_up() {
        List<UUID> both = enqueuers(2);
        List<UUID> owners = Collections.nCopies(8, both.get(0));
        assertThat(share(both.get(0), owners, both)).containsExactly(0, 1, 2, 3);
        assertThat(share(both.get(1), owners, both)).isEmpty();
    }

    @Test
    void a_newcomer_takes_the_one_lane_from_nobody_whatever_its_id() {
        List<UUID> both = enqueuers(2);
        List<UUID> owners = List.of(both.get(1));
        assertThat(share(both.get(1), owners, both)).containsExactly(0);
        assertThat(share(both.get(0), owners, both)).isEmpty();
    }

    @Test
    void from_any_start_the_lanes_end_up_evenly_shared_and_then_stay_where_they_are() {
        Random random = new Random(42);
        for (int round = 0; round < 500; round++) {
            List<UUID> living = enqueuers(1 + random.nextInt(12));
            List<UUID> owners = new ArrayList<>(Collections.nCopies(8, null));
            for (int lane = 0; lane < 8; lane++) {
                owners.set(lane, random.nextInt(3) == 0 ? null : living.get(random.nextInt(living.size())));
            }
            for (int beat = 0; beat < 3; beat++) {
                settle(owners, living);
            }
            List<UUID> settled = new ArrayList<>(owners);
            settle(owners, living);
            assertThat(owners).isEqualTo(settled).doesNotContainNull();
            long[] counts = living.stream()
                    .mapToLong(each -> Collections.frequency(settled, each))
                    .toArray();
            assertThat(Arrays.stream(counts).max().getAsLong()
                            - Arrays.stream(counts).min().getAsLong())
                    .isLessThanOrEqualTo(1);
        }
    }

    /** Everybody acts on what it sees, one after the other. */
    private static void settle(List<UUID> owners, List<UUID> living) {
        for (UUID me : living) {
            Set<Integer> wanted = share(me, owners, living);
            for (int lane = 0; lane < owners.size(); lane++) {
                if (wanted.contains(lane)) {
                    assertThat(owners.get(lane)).isIn(null, me);
                    owners.set(lane, me);
                } else if (me.equals(owners.get(lane))) {
                    owners.set(lane, null);
                }
            }
        }
    }
}
