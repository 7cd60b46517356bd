package io.stagedjobs.testkit.jobs;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** A database of its own with the tables installed, as an application's tests have one. */
final class TestTables {

    final TestDatabase database;
    final DataSource dataSource;
    final DSLContext dsl;
    final JobTables jobs;

    TestTables(String prefix) {
        database = TestPostgres.shared().newDatabase(prefix);
        dataSource = database.dataSource();
        dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        dsl.connection(Schema.PUBLIC::migrate);
        jobs = JobTables.in(dataSource);
    }

    TestEnqueuer enqueuer() {
        return TestEnqueuer.from(database.url(), database.username(), database.password())
                .to(TestKafka.shared().bootstrapServers());
    }

    void stage(String topic, String key, String name) {
        dsl.execute("INSERT INTO staged_jobs (topic, job_key, job_name) VALUES (?, ?, ?)", topic, key, name);
    }

    void clear() {
        dsl.execute("DELETE FROM staged_jobs");
        dsl.execute("DELETE FROM parked_jobs");
    }
}
