package io.stagedjobs.schema;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.Test;

class TablesTest {

    private static final Schema SCHEMA = Schema.named("jobs of \"ours\"");

    private final TestDatabase database = TestPostgres.shared().newDatabase("tables");
    private final DSLContext dsl = DSL.using(database.dataSource(), SQLDialect.POSTGRES);
    private final Tables tables = new Tables(SCHEMA);

    TablesTest() throws SQLException {
        try (Connection connection = database.connect()) {
            SCHEMA.migrate(connection);
        }
    }

    @Test
    void they_are_described_as_the_migrations_make_them() {
        Map<String, List<String>> described = new TreeMap<>();
        tables.all()
                .forEach(table -> described.put(
                        table.table.getName(),
                        table.columns().stream()
                                .map(column -> column.getName() + " " + typeOf(column))
                                .toList()));
        Map<String, List<String>> installed = new TreeMap<>(dsl.fetch(
                        "SELECT c.relname::text, array_agg(a.attname || ' ' || format_type(a.atttypid, NULL) ORDER"
                                + " BY a.attnum)"
                                + " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
                                + " WHERE c.relnamespace = to_regnamespace(?) AND c.relkind = 'r' GROUP BY 1",
                        DSL.quotedName(SCHEMA.name()).toString())
                .intoMap(row -> row.get(0, String.class), row -> List.of(row.get(1, String[].class))));
        assertThat(described).isEqualTo(installed);
    }

    /** As PostgreSQL calls it. */
    private String typeOf(Field<?> column) {
        return dsl.fetchSingle("SELECT ?::regtype::text", column.getDataType().getTypeName(dsl.configuration()))
                .get(0, String.class);
    }

    @Test
    void every_column_can_be_read_from_the_table_and_its_sequence() {
        tables.all()
                .forEach(table -> dsl.select(table.columns()).from(table.table).fetch());
        assertThat(dsl.select(tables.idSequence.lastValue)
                        .from(tables.idSequence.table)
                        .fetchSingle()
                        .value1())
                .isEqualTo(1);
    }

    @Test
    void a_table_under_another_name_has_its_columns_there() {
        Tables.Parked earlier = tables.parkedJobs.as("earlier");
        assertThat(dsl.fetchCount(DSL.selectOne()
                        .from(tables.parkedJobs.table)
                        .where(DSL.exists(
                                DSL.selectOne().from(earlier.table).where(earlier.id.lt(tables.parkedJobs.id))))))
                .isZero();
    }

    @Test
    void a_lane_is_a_number_to_java_and_small_to_postgresql() {
        Field<Integer> lane = tables.lanes.lane;
        assertThat(dsl.select(lane).from(tables.lanes.table).where(lane.eq(0)).fetch(lane))
                .containsExactly(0);
    }
}
