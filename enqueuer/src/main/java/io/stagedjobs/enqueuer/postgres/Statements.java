package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;

/**
 * The statements of the enqueuer whose plans and locks are the point, each in a file of its name that says which index
 * it needs and which rows it locks. All others are written in jOOQ's language, with {@link #tables}. Times are compared
 * by the database's clock only.
 */
final class Statements {

    final Tables tables;

    final NamedSql endOrphans;
    final NamedSql take;
    final NamedSql lock;
    final NamedSql lockIfWaiting;
    final NamedSql lockIfWaitingOrOver;
    final NamedSql era;
    final NamedSql lastId;
    final NamedSql writers;
    final NamedSql anyOver;
    final NamedSql read;
    final NamedSql readSized;
    final NamedSql readAhead;
    final NamedSql logFlushed;
    final NamedSql flushLog;
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
    final NamedSql tellProblems;

    Statements(Schema schema) {
        tables = new Tables(schema);
        endOrphans = NamedSql.load(schema, "end-orphans");
        take = NamedSql.load(schema, "take");
        lock = NamedSql.load(schema, "lock");
        lockIfWaiting = NamedSql.load(schema, "lock-if-waiting");
        lockIfWaitingOrOver = NamedSql.load(schema, "lock-if-waiting-or-over");
        era = NamedSql.load(schema, "era");
        lastId = NamedSql.load(schema, "last-id");
        writers = NamedSql.load(schema, "writers");
        anyOver = NamedSql.load(schema, "any-over");
        read = NamedSql.load(schema, "read");
        readSized = NamedSql.load(schema, "read-sized");
        readAhead = NamedSql.load(schema, "read-ahead");
        logFlushed = NamedSql.load(schema, "log-flushed");
        flushLog = NamedSql.load(schema, "flush-log");
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
        tellProblems = NamedSql.load(schema, "tell-problems");
    }
}
