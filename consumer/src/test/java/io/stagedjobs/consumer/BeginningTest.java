package io.stagedjobs.consumer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.Test;

class BeginningTest {

    private static final Uuid TOPIC = Uuid.randomUuid();
    private static final long POSITION = 3;
    private static final Optional<OffsetAndMetadata> NOTHING = Optional.empty();

    private static Optional<OffsetAndMetadata> ours(long offset) {
        return Optional.of(new OffsetAndMetadata(offset, Beginning.OURS));
    }

    private static Optional<OffsetAndMetadata> ofAPerson(long offset) {
        return Optional.of(new OffsetAndMetadata(offset, ""));
    }

    private static Optional<Mark> mark(long offset) {
        return Optional.of(new Mark(TOPIC, offset));
    }

    private static Beginning begin(Optional<OffsetAndMetadata> committed, Optional<Mark> mark) {
        return Beginning.of(committed, mark, TOPIC, POSITION);
    }

    @Test
    void at_first_it_is_where_kafka_begins() {
        assertThat(begin(NOTHING, Optional.empty())).isEqualTo(new Beginning(POSITION, ""));
    }

    @Test
    void at_a_restart_it_is_the_mark() {
        assertThat(begin(ours(7), mark(7))).isEqualTo(new Beginning(7L, ""));
        assertThat(begin(ours(7), mark(9))).isEqualTo(new Beginning(9L, ""));
    }

    @Test
    void offsets_that_kafka_has_forgotten_cost_nothing() {
        assertThat(begin(NOTHING, mark(9)).offset()).isEqualTo(9);
        assertThat(begin(NOTHING, mark(9)).reason()).contains("Kafka has no offset of the group any more");
    }

    @Test
    void a_database_that_lost_commits_has_its_jobs_handled_again() {
        assertThat(begin(ours(9), mark(7)).offset()).isEqualTo(7);
        assertThat(begin(ours(9), mark(7)).reason()).contains("lost commits", "from offset 7 to 9");
    }

    @Test
    void with_a_database_that_knows_nothing_a_person_decides() {
        assertThat(begin(ours(9), Optional.empty()).offset()).isNull();
        assertThat(begin(ours(9), Optional.empty()).reason()).contains("--reset-offsets", "set it to 9");
    }

    @Test
    void what_a_person_has_set_holds() {
        assertThat(begin(ofAPerson(2), mark(7)).offset()).isEqualTo(2);
        assertThat(begin(ofAPerson(2), mark(7)).reason()).contains("somebody has set the group's offset");
        assertThat(begin(ofAPerson(9), Optional.empty())).isEqualTo(new Beginning(9L, ""));
    }

    @Test
    void a_topic_that_was_made_anew_voids_its_mark() {
        Optional<Mark> ofAnother = Optional.of(new Mark(Uuid.randomUuid(), 7));
        assertThat(begin(NOTHING, ofAnother).offset()).isEqualTo(POSITION);
        assertThat(begin(ours(7), ofAnother).offset()).isEqualTo(POSITION);
        assertThat(begin(ours(7), ofAnother).reason()).contains("made anew");
    }
}
