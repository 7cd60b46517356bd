package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.LaneTransaction;
import io.stagedjobs.enqueuer.Outbox;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Enqueuers under two roles, each with exactly the grants of the manual. */
class SessionEndRightsTest {

    private static final int LANE = 2;

    private Outbox outbox;
    private String one;
    private String other;

    @BeforeEach
    void open() throws Exception {
        outbox = new Outbox("roles");
        one = role("one");
        other = role("other");
    }

    private String role(String name) throws Exception {
        String role = name + "_" + UUID.randomUUID().toString().replace("-", "");
        outbox.dsl().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'");
        outbox.keep(() -> {
            outbox.dsl().execute("DROP OWNED BY " + role);
            outbox.dsl().execute("DROP ROLE " + role);
        });
        Matcher block = Pattern.compile("```sql grants-enqueuer\\n(.*?)```", Pattern.DOTALL)
                .matcher(Files.readString(Path.of("../docs/operations.md")));
        assertThat(block.find()).isTrue();
        for (String grant : block.group(1).replace("enqueuer_role", role).split(";\\s*")) {
            outbox.dsl().execute(grant);
        }
        return role;
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private TestDatabase as(String role) {
        TestDatabase database = outbox.database;
        return new TestDatabase(database.url(), database.host(), database.port(), database.name(), role, "secret");
    }

    private PostgresLanes living(String role) {
        PostgresLanes lanes = outbox.lanes(as(role));
        lanes.membership().beat();
        return lanes;
    }

    private Optional<String> warned(String role) throws SQLException {
        try (Connection connection = outbox.database.connectAs(role, "secret")) {
            return SessionEndRights.warning(connection, Schema.PUBLIC, Outbox.TAKEOVER_AFTER);
        }
    }

    @Test
    void a_dead_owner_under_another_role_is_named_with_the_way_out_and_relieved_once_that_is_granted() {
        PostgresLanes stopped = living(one);
        long generation = stopped.take(LANE).orElseThrow().generation();
        try (LaneTransaction batch = stopped.begin(LANE, generation).orElseThrow()) {
            assertThat(batch.lastBatch()).isZero();
            outbox.dsl().execute("UPDATE staged_job_enqueuers SET seen_at = seen_at - interval '1 minute'");
            PostgresLanes heir = living(other);
            assertThatThrownBy(() -> heir.take(LANE))
                    .hasMessageContainingAll("SQLSTATE 55P03", "connects as role " + one, "GRANT pg_signal_backend");
            outbox.dsl().execute("GRANT pg_signal_backend TO " + other);
            assertThat(heir.take(LANE).orElseThrow().generation()).isEqualTo(generation + 1);
        }
    }

    @Test
    void a_member_of_the_dead_owners_role_relieves_it() {
        PostgresLanes stopped = living(one);
        long generation = stopped.take(LANE).orElseThrow().generation();
        try (LaneTransaction batch = stopped.begin(LANE, generation).orElseThrow()) {
            assertThat(batch.lastBatch()).isZero();
            outbox.dsl().execute("UPDATE staged_job_enqueuers SET seen_at = seen_at - interval '1 minute'");
            outbox.dsl().execute("GRANT " + one + " TO " + other);
            assertThat(living(other).take(LANE).orElseThrow().generation()).isEqualTo(generation + 1);
        }
    }

    @Test
    void who_starts_beside_enqueuers_of_another_role_is_warned_until_either_may_end_the_other() throws SQLException {
        assertThat(warned(one)).isEmpty();
        living(one);
        assertThat(warned(one)).isEmpty();
        assertThat(warned(other)).hasValueSatisfying(words -> assertThat(words)
                .contains("connect as role " + one, "this one as role " + other, "GRANT pg_signal_backend TO"));
        outbox.dsl().execute("GRANT pg_signal_backend TO " + other);
        assertThat(warned(other)).as("the other way round").isPresent();
        outbox.dsl().execute("GRANT pg_signal_backend TO " + one);
        assertThat(warned(other)).isEmpty();
    }
}
