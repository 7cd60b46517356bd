package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;

/**
 * The enqueuer's statements whose plans and locks matter, each in a file of its name that states its index and its
 * locks. All others are written in jOOQ's language, with {@link #tables}. Times are compared only by the database's
 * clock.
 */
final class Statements {

    final Tables tables;

    final NamedSql endOrphans;
    final NamedSql take;
    final NamedSql lock;
    final NamedSql lastId;
    final NamedSql writers;
    final NamedSql anyOver;
    final JobRead read;
    final JobRead readSized;
    final Message readAhead;
    final NamedSql logFlushed;
    final NamedSql writeToLog;
    final NamedSql delete;
    final NamedSql deleteAndRecordBatch;
    final NamedSql recordBatch;
    final NamedSql deleteAside;
    final NamedSql moveAside;
    final NamedSql sweep;
    final NamedSql putBack;
    final NamedSql heldTopics;
    final NamedSql oldestAge;
    final NamedSql reportProblems;

    /**
     * Statements that go to the server together.
     *
     * @param flushing the same where PostgreSQL can put on disk what it reads
     */
    record Message(NamedSql plain, NamedSql flushing) {

        static Message of(Schema schema, NamedSql reading) {
            return new Message(reading, reading.then(NamedSql.load(schema, "flush-log")));
        }

        NamedSql in(OpenTransaction transaction) {
            return transaction.flushesWithRead() ? flushing : plain;
        }
    }

    /**
     * A statement that reads jobs.
     *
     * @param alone where the lane is locked already
     * @param claim behind the lock of the lane, if a job waits
     * @param claimOrOver also if a transaction is over that was open before
     */
    record JobRead(NamedSql alone, Message claim, Message claimOrOver) {

        static JobRead of(Schema schema, String file) {
            NamedSql read = NamedSql.load(schema, file);
            return new JobRead(
                    read,
                    Message.of(schema, NamedSql.load(schema, "lock-if-waiting").then(read)),
                    Message.of(
                            schema,
                            NamedSql.load(schema, "lock-if-waiting-or-over").then(read)));
        }
    }

    Statements(Schema schema) {
        tables = new Tables(schema);
        endOrphans = NamedSql.load(schema, "end-orphans");
        take = NamedSql.load(schema, "take");
        lock = NamedSql.load(schema, "lock");
        lastId = NamedSql.load(schema, "last-id");
        writers = NamedSql.load(schema, "writers");
        anyOver = NamedSql.load(schema, "any-over");
        read = JobRead.of(schema, "read");
        readSized = JobRead.of(schema, "read-sized");
        readAhead = Message.of(schema, NamedSql.load(schema, "era").then(NamedSql.load(schema, "read-ahead")));
        logFlushed = NamedSql.load(schema, "log-flushed");
        writeToLog = NamedSql.load(schema, "write-to-log");
        delete = NamedSql.load(schema, "delete");
        recordBatch = NamedSql.load(schema, "record-batch");
        deleteAndRecordBatch = delete.then(recordBatch);
        deleteAside = NamedSql.load(schema, "delete-aside");
        moveAside = NamedSql.load(schema, "move-aside");
        sweep = NamedSql.load(schema, "sweep");
        putBack = NamedSql.load(schema, "put-back");
        heldTopics = NamedSql.load(schema, "held-topics");
        oldestAge = NamedSql.load(schema, "oldest-age");
        reportProblems = NamedSql.load(schema, "report-problems");
    }
}
