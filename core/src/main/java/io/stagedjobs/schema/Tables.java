package io.stagedjobs.schema;

import static org.jooq.impl.SQLDataType.BIGINT;
import static org.jooq.impl.SQLDataType.BOOLEAN;
import static org.jooq.impl.SQLDataType.INTEGER;
import static org.jooq.impl.SQLDataType.JSONB;
import static org.jooq.impl.SQLDataType.UUID;

import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.JSONB;
import org.jooq.Name;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/**
 * The tables in one schema as the migrations make them, for statements in jOOQ's language. Every column is qualified by
 * its table, or by an alias from {@code as}. A test compares names and types with a migrated database.
 */
public final class Tables {

    private static final DataType<String> TEXT = SQLDataType.CLOB;
    private static final DataType<byte[]> BYTEA = SQLDataType.BLOB;
    private static final DataType<OffsetDateTime> TIME = SQLDataType.TIMESTAMPWITHTIMEZONE;
    private static final DataType<Integer> LANE =
            SQLDataType.SMALLINT.asConvertedDataType(Integer.class, Short::intValue, Integer::shortValue);

    public final Jobs stagedJobs;
    public final IdSequence idSequence;
    public final Parked parkedJobs;
    public final Lanes lanes;
    public final Enqueuers enqueuers;
    public final Batches batches;
    public final Delivery delivery;
    public final Pauses pauses;
    public final IdempotencyKeys idempotencyKeys;
    public final Versions versions;

    /** Describes the tables in that schema, even if they are not installed. */
    public Tables(Schema schema) {
        Name in = DSL.quotedName(schema.name());
        stagedJobs = new Jobs(in.append(DSL.quotedName("staged_jobs")));
        idSequence = new IdSequence(in.append(DSL.quotedName("staged_jobs_id_seq")));
        parkedJobs = new Parked(in.append(DSL.quotedName("parked_jobs")));
        lanes = new Lanes(in.append(DSL.quotedName("staged_job_lanes")));
        enqueuers = new Enqueuers(in.append(DSL.quotedName("staged_job_enqueuers")));
        batches = new Batches(in.append(DSL.quotedName("staged_job_batches")));
        delivery = new Delivery(in.append(DSL.quotedName("staged_job_delivery")));
        pauses = new Pauses(in.append(DSL.quotedName("staged_job_pauses")));
        idempotencyKeys = new IdempotencyKeys(in.append(DSL.quotedName("staged_job_idempotency_keys")));
        versions = new Versions(in.append(DSL.quotedName("staged_jobs_schema")));
    }

    /** All tables, without the sequence. */
    List<Relation> all() {
        return List.of(stagedJobs, parkedJobs, lanes, enqueuers, batches, delivery, pauses, idempotencyKeys, versions);
    }

    /** A table or sequence, and its columns. */
    public abstract static class Relation {
        /** The name in FROM, INTO and UPDATE. */
        public final Table<Record> table;

        private final Name qualifier;
        private final List<Field<?>> columns = new ArrayList<>();

        private Relation(Name name) {
            this(DSL.table(name), name);
        }

        private Relation(Table<Record> table, Name qualifier) {
            this.table = table;
            this.qualifier = qualifier;
        }

        final <T> Field<T> column(String name, DataType<T> type) {
            Field<T> column = DSL.field(qualifier.append(DSL.quotedName(name)), type);
            columns.add(column);
            return column;
        }

        /** All columns, in their order. */
        public final List<Field<?>> columns() {
            return Collections.unmodifiableList(columns);
        }
    }

    /** {@code staged_jobs}, and the columns that {@code parked_jobs} shares with it. */
    public static class Jobs extends Relation {
        public final Field<Integer> lane = column("lane", LANE);
        public final Field<Long> id = column("id", BIGINT);
        public final Field<UUID> jobId = column("job_id", UUID);
        public final Field<String> topic = column("topic", TEXT);
        public final Field<String> jobKey = column("job_key", TEXT);
        public final Field<String> jobName = column("job_name", TEXT);
        public final Field<byte[]> payload = column("payload", BYTEA);
        public final Field<JSONB> headers = column("headers", JSONB);
        public final Field<OffsetDateTime> stagedAt = column("staged_at", TIME);

        private Jobs(Name name) {
            super(name);
        }

        private Jobs(Name name, Name alias) {
            super(DSL.table(name).as(alias), alias);
        }
    }

    /** Draws the ids of jobs. */
    public static final class IdSequence extends Relation {
        public final Field<Long> lastValue = column("last_value", BIGINT);
        public final Field<Boolean> isCalled = column("is_called", BOOLEAN);

        private IdSequence(Name name) {
            super(name);
        }
    }

    /** {@code parked_jobs}: the jobs that were moved aside. */
    public static final class Parked extends Jobs {
        public final Field<String> state = column("state", TEXT);
        public final Field<String> reason = column("reason", TEXT);
        public final Field<String> error = column("error", TEXT);
        public final Field<OffsetDateTime> parkedAt = column("parked_at", TIME);

        private final Name name;

        private Parked(Name name) {
            super(name);
            this.name = name;
        }

        private Parked(Name name, Name alias) {
            super(name, alias);
            this.name = name;
        }

        /** The same table under another name, for a statement that names it twice. */
        public Parked as(String alias) {
            return new Parked(name, DSL.quotedName(alias));
        }
    }

    /** {@code staged_job_lanes}. */
    public static final class Lanes extends Relation {
        public final Field<Integer> lane = column("lane", LANE);
        public final Field<Long> generation = column("generation", BIGINT);
        public final Field<Integer> channel = column("channel", INTEGER);
        public final Field<UUID> owner = column("owner", UUID);
        public final Field<OffsetDateTime> takenAt = column("taken_at", TIME);

        private Lanes(Name name) {
            super(name);
        }
    }

    /** {@code staged_job_enqueuers}. */
    public static final class Enqueuers extends Relation {
        public final Field<UUID> enqueuer = column("enqueuer", UUID);
        public final Field<String> name = column("name", TEXT);
        public final Field<String> delivery = column("delivery", TEXT);
        public final Field<OffsetDateTime> startedAt = column("started_at", TIME);
        public final Field<OffsetDateTime> seenAt = column("seen_at", TIME);
        public final Field<JSONB> problems = column("problems", JSONB);

        private Enqueuers(Name name) {
            super(name);
        }
    }

    /** {@code staged_job_batches}. */
    public static final class Batches extends Relation {
        public final Field<Integer> lane = column("lane", LANE);
        public final Field<Long> batch = column("batch", BIGINT);
        public final Field<OffsetDateTime> settledAt = column("settled_at", TIME);

        private Batches(Name name) {
            super(name);
        }
    }

    /** {@code staged_job_delivery}. */
    public static final class Delivery extends Relation {
        public final Field<Boolean> onlyRow = column("only_row", BOOLEAN);
        public final Field<String> delivery = column("delivery", TEXT);
        public final Field<UUID> identity = column("identity", UUID);

        private Delivery(Name name) {
            super(name);
        }
    }

    /** {@code staged_job_pauses}. */
    public static final class Pauses extends Relation {
        public final Field<String> topic = column("topic", TEXT);
        public final Field<OffsetDateTime> pausedAt = column("paused_at", TIME);

        private Pauses(Name name) {
            super(name);
        }
    }

    /** {@code staged_job_idempotency_keys}. */
    public static final class IdempotencyKeys extends Relation {
        public final Field<String> scope = column("scope", TEXT);
        public final Field<String> idempotencyKey = column("idempotency_key", TEXT);
        public final Field<String> fingerprint = column("fingerprint", TEXT);
        public final Field<Integer> status = column("status", INTEGER);
        public final Field<JSONB> headers = column("headers", JSONB);
        public final Field<byte[]> body = column("body", BYTEA);
        public final Field<OffsetDateTime> createdAt = column("created_at", TIME);

        private IdempotencyKeys(Name name) {
            super(name);
        }
    }

    /** {@code staged_jobs_schema}: the applied migrations. */
    public static final class Versions extends Relation {
        public final Field<Integer> version = column("version", INTEGER);
        public final Field<OffsetDateTime> appliedAt = column("applied_at", TIME);

        private Versions(Name name) {
            super(name);
        }
    }
}
