package io.stagedjobs.enqueuer.postgres;

import static org.jooq.impl.SQLDataType.CLOB;
import static org.jooq.impl.SQLDataType.DOUBLE;
import static org.jooq.impl.SQLDataType.TIMESTAMPWITHTIMEZONE;

import java.time.Duration;
import java.time.OffsetDateTime;
import org.jooq.Field;
import org.jooq.impl.DSL;

/** The database's clock in jOOQ's language: every process compares times by this clock. */
final class DatabaseClock {

    private DatabaseClock() {}

    static Field<OffsetDateTime> now() {
        return DSL.field("clock_timestamp()", TIMESTAMPWITHTIMEZONE);
    }

    static Field<OffsetDateTime> ago(Duration duration) {
        return DSL.field(
                "clock_timestamp() - {0} * interval '1 ms'", TIMESTAMPWITHTIMEZONE, DSL.val(duration.toMillis()));
    }

    /** An age that is finite for any time, and never negative. */
    static Field<Double> secondsSince(Field<OffsetDateTime> time) {
        return DSL.field(
                "extract(epoch FROM clock_timestamp() - least(greatest({0}, '0001-01-01 00:00:00+00'),"
                        + " clock_timestamp()))::float8",
                DOUBLE, time);
    }

    /** A time in the form of RFC 3339, or in PostgreSQL's form if that is impossible. */
    static Field<String> written(Field<OffsetDateTime> time) {
        return DSL.field(
                "coalesce(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), {0}::text)",
                CLOB, time);
    }
}
