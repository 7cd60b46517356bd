package io.stagedjobs.consumer;

import static org.jooq.impl.SQLDataType.BIGINT;
import static org.jooq.impl.SQLDataType.CLOB;
import static org.jooq.impl.SQLDataType.INTEGER;
import static org.jooq.impl.SQLDataType.UUID;

import io.stagedjobs.Isolation;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import io.stagedjobs.schema.Schema;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.impl.DSL;

/**
 * The {@link Mark}s of a consumer in the table {@code consumer_marks}. Each call is one short transaction. Thread-safe.
 */
final class Marks {

    private static final Field<String> CONSUMER = DSL.field(DSL.name("consumer"), CLOB);
    private static final Field<String> TOPIC = DSL.field(DSL.name("topic"), CLOB);
    private static final Field<Integer> PARTITION = DSL.field(DSL.name("partition"), INTEGER);
    private static final Field<java.util.UUID> TOPIC_ID = DSL.field(DSL.name("topic_id"), UUID);
    private static final Field<Long> NEXT_OFFSET = DSL.field(DSL.name("next_offset"), BIGINT);

    private final String consumer;
    private final UnitOfWork unit;
    private final Table<Record> marks;

    Marks(String consumer, UnitOfWork unit, Schema schema) {
        this.consumer = consumer;
        this.unit = unit.isolation(Isolation.READ_COMMITTED);
        this.marks = DSL.table(DSL.name(schema.name(), "consumer_marks"));
    }

    /** The mark of a partition, if there is one. */
    Optional<Mark> read(TopicPartition partition) {
        return unit.call(work -> read(work, partition, false));
    }

    private Optional<Mark> read(Work work, TopicPartition partition, boolean forUpdate) {
        var query = work.dsl().select(TOPIC_ID, NEXT_OFFSET).from(marks).where(of(partition));
        return (forUpdate ? query.forNoKeyUpdate() : query)
                .fetchOptional()
                .map(row -> new Mark(uuid(row.get(TOPIC_ID)), row.get(NEXT_OFFSET)));
    }

    /**
     * Moves marks forward, and none back. A mark that stands below the one that was expected is left as it is: then
     * this database has lost commits.
     *
     * @param wanted by partition, how far it is finished
     * @param expected by partition, the least that must stand there
     * @return by partition, what stood there before; nothing if there was no mark
     */
    Map<TopicPartition, Mark> store(Map<TopicPartition, Mark> wanted, Map<TopicPartition, Long> expected) {
        return unit.call(work -> {
            Map<TopicPartition, Mark> before = new HashMap<>();
            for (TopicPartition partition : inOrder(wanted)) {
                Optional<Mark> stood = read(work, partition, true);
                stood.ifPresent(mark -> before.put(partition, mark));
                long least = expected.getOrDefault(partition, 0L);
                Mark mark = Objects.requireNonNull(wanted.get(partition));
                if (stood.map(its -> movesTo(its, mark, least)).orElse(least == 0)) {
                    replace(work, partition, mark);
                }
            }
            return before;
        });
    }

    private static boolean movesTo(Mark stood, Mark mark, long least) {
        return !stood.topicId().equals(mark.topicId())
                || (stood.nextOffset() >= least && stood.nextOffset() < mark.nextOffset());
    }

    /** So that two transactions cannot deadlock. */
    private static List<TopicPartition> inOrder(Map<TopicPartition, Mark> wanted) {
        return wanted.keySet().stream()
                .sorted(Comparator.comparing(TopicPartition::topic).thenComparingInt(TopicPartition::partition))
                .toList();
    }

    private void replace(Work work, TopicPartition partition, Mark mark) {
        work.dsl()
                .insertInto(marks, CONSUMER, TOPIC, PARTITION, TOPIC_ID, NEXT_OFFSET)
                .values(consumer, partition.topic(), partition.partition(), uuid(mark.topicId()), mark.nextOffset())
                .onConflict(CONSUMER, TOPIC, PARTITION)
                .doUpdate()
                .set(TOPIC_ID, uuid(mark.topicId()))
                .set(NEXT_OFFSET, mark.nextOffset())
                .execute();
    }

    private Condition of(TopicPartition partition) {
        return CONSUMER.eq(consumer).and(TOPIC.eq(partition.topic())).and(PARTITION.eq(partition.partition()));
    }

    private static Uuid uuid(java.util.UUID id) {
        return new Uuid(id.getMostSignificantBits(), id.getLeastSignificantBits());
    }

    private static java.util.UUID uuid(Uuid id) {
        return new java.util.UUID(id.getMostSignificantBits(), id.getLeastSignificantBits());
    }
}
