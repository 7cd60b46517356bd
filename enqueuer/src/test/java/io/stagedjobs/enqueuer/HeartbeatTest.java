package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Proxy;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class HeartbeatTest {

    @Test
    void an_error_of_the_virtual_machine_ends_it_and_health_says_so_from_then_on() {
        Health health = new Health();
        Membership broken = (Membership) Proxy.newProxyInstance(
                Membership.class.getClassLoader(), new Class<?>[] {Membership.class}, (proxy, method, args) -> {
                    throw new OutOfMemoryError("no heap");
                });
        Heartbeat heartbeat = new Heartbeat(broken, () -> Duration.ofMillis(1), census -> {}, health);
        assertThatThrownBy(heartbeat::run).isInstanceOf(OutOfMemoryError.class);
        assertThat(health.problems().get("enqueuer")).contains("the heartbeat has ended", "restart this process");
    }
}
