package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.UnitListener.Attempt;
import io.stagedjobs.UnitListener.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UnitListenerTest {

    private static final String CONFLICT = "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$";

    private static SchemaFixture fixture;
    private static HikariDataSource one;

    private final List<Attempt> attempts = new ArrayList<>();
    private UnitOfWork unit;

    @BeforeAll
    static void install() {
        fixture = new SchemaFixture("listener");
        one = fixture.pool(1);
    }

    @AfterAll
    static void close() {
        one.close();
    }

    @BeforeEach
    void listen() {
        fixture.clear();
        unit = UnitOfWork.on(one).named("sign-up").listening(attempts::add);
    }

    private static StagedJob job() {
        return StagedJob.builder("users", "user.created").build();
    }

    private List<Outcome> outcomes() {
        return attempts.stream().map(Attempt::outcome).toList();
    }

    @Test
    void a_committed_attempt_is_told_with_its_jobs_when_its_connection_is_back() {
        List<Integer> active = new ArrayList<>();
        unit.listening(attempt -> {
                    attempts.add(attempt);
                    active.add(one.getHikariPoolMXBean().getActiveConnections());
                })
                .run(work -> {
                    work.stage(job());
                    work.stage(job());
                });
        Attempt attempt = attempts.get(0);
        assertThat(attempt.unit()).isEqualTo("sign-up");
        assertThat(attempt.number()).isEqualTo(1);
        assertThat(attempt.outcome()).isEqualTo(Outcome.COMMITTED);
        assertThat(attempt.jobs()).isEqualTo(2);
        assertThat(attempt.duration()).isPositive();
        assertThat(attempt.failure()).isNull();
        assertThat(attempts).hasSize(1);
        assertThat(active).containsExactly(0);
    }

    @Test
    void each_attempt_of_a_retried_unit_is_told() {
        unit.run(work -> {
            work.stage(job());
            if (work.attempt() < 3) {
                work.dsl().execute(CONFLICT);
            }
        });
        assertThat(outcomes()).containsExactly(Outcome.RETRIED, Outcome.RETRIED, Outcome.COMMITTED);
        assertThat(attempts).extracting(Attempt::number).containsExactly(1, 2, 3);
        assertThat(attempts).extracting(Attempt::jobs).containsExactly(0, 0, 1);
        assertThat(attempts.get(0).failure()).hasMessageContaining("x");
    }

    @Test
    void the_last_attempt_that_met_a_conflict_is_told_as_exhausted() {
        assertThatThrownBy(() -> unit.attemptsMax(2).run(work -> work.dsl().execute(CONFLICT)))
                .isInstanceOf(AttemptsExhaustedException.class);
        assertThat(outcomes()).containsExactly(Outcome.RETRIED, Outcome.EXHAUSTED);
    }

    @Test
    void what_is_not_retryable_passes_through_at_once_and_is_told() {
        IOException checked = new IOException("upstream");
        assertThatThrownBy(() -> unit.run(work -> {
                    throw checked;
                }))
                .isSameAs(checked);
        assertThatThrownBy(() -> unit.run(work -> work.dsl().execute("SELECT 1/0")))
                .hasMessageContaining("division by zero");
        assertThatThrownBy(() -> unit.run(work -> {
                    throw new StackOverflowError("deep");
                }))
                .isInstanceOf(StackOverflowError.class);
        assertThat(outcomes()).containsExactly(Outcome.FAILED, Outcome.FAILED, Outcome.FAILED);
        assertThat(attempts.get(0).failure()).isSameAs(checked);
    }

    /** It has decided already; repeating the unit around it would multiply the attempts. */
    @Test
    void the_exhaustion_of_a_unit_on_another_data_source_is_no_conflict_of_this_one() {
        try (HikariDataSource other = fixture.pool(1)) {
            assertThatThrownBy(() ->
                            unit.run(work -> UnitOfWork.on(other).attemptsMax(2).run(inner -> inner.dsl()
                                    .execute(CONFLICT))))
                    .isInstanceOf(AttemptsExhaustedException.class);
        }
        assertThat(outcomes()).containsExactly(Outcome.FAILED);
    }

    @Test
    void a_commit_whose_outcome_is_unknown_is_told_so() {
        fixture.createTableThatDiesAtCommit("dies_at_commit");
        assertThatThrownBy(() -> unit.run(work -> work.dsl().execute("INSERT INTO dies_at_commit VALUES (1)")))
                .isInstanceOf(CommitOutcomeUnknownException.class);
        assertThat(outcomes()).containsExactly(Outcome.UNKNOWN);
    }

    @Test
    void a_listener_that_fails_changes_nothing() {
        unit.listening(attempt -> {
                    throw new IllegalStateException("the registry is closed");
                })
                .run(work -> work.stage(job()));
        assertThat(fixture.namesStaged()).containsExactly("user.created");
    }

    @Test
    void micrometer_counts_attempts_by_unit_and_outcome_and_committed_jobs() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        UnitOfWork metered = unit.listening(new MicrometerUnitListener(registry));
        metered.run(work -> {
            work.stage(job());
            if (work.attempt() == 1) {
                work.dsl().execute(CONFLICT);
            }
        });
        catchThrowable(() -> metered.run(work -> work.dsl().execute("SELECT 1/0")));
        for (String outcome : List.of("committed", "retried", "failed")) {
            assertThat(registry.get("staged.jobs.unit.attempts")
                            .tags("unit", "sign-up", "outcome", outcome)
                            .timer()
                            .count())
                    .isEqualTo(1);
        }
        assertThat(registry.get("staged.jobs.unit.jobs").counter().count()).isEqualTo(1);
        assertThat(registry.getMeters().stream()
                        .map(Meter::getId)
                        .map(Meter.Id::getName)
                        .collect(Collectors.toSet()))
                .isEqualTo(metersInDocument());
    }

    private static Set<String> metersInDocument() {
        try {
            String document = Files.readString(Path.of("../docs/configuration.md"));
            return Pattern.compile("(?m)^\\| (?:timer|counter) \\| `(staged\\.jobs\\.unit\\.[a-z.]+)` ")
                    .matcher(document)
                    .results()
                    .map(match -> match.group(1))
                    .collect(Collectors.toSet());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
