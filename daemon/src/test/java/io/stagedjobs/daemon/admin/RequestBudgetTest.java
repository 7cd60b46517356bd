package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class RequestBudgetTest {

    private final AtomicLong nanos = new AtomicLong();
    private final RequestBudget budget = new RequestBudget(2, 0.5, nanos::get);

    @Test
    void who_has_used_up_the_budget_waits_until_it_has_filled_again() {
        assertThat(budget.take("a")).isZero();
        assertThat(budget.take("a")).isZero();
        assertThat(budget.take("a")).isEqualTo(2);
        assertThat(budget.take("b")).isZero();
        nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
        assertThat(budget.take("a")).isEqualTo(1);
        nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
        assertThat(budget.take("a")).isZero();
        assertThat(budget.take("a")).isEqualTo(2);
    }

    @Test
    void it_fills_no_further_than_the_burst() {
        budget.take("a");
        nanos.addAndGet(TimeUnit.HOURS.toNanos(1));
        assertThat(budget.take("a")).isZero();
        assertThat(budget.take("a")).isZero();
        assertThat(budget.take("a")).isPositive();
    }
}
