package io.stagedjobs;

import java.sql.Connection;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * The jobs of an open unit that are staged but not yet written, in the order of staging. A savepoint remembers their
 * number when it was set; rolling back to it drops the later ones.
 */
final class PendingJobs {

    private final List<Pending> jobs = new ArrayList<>();
    private final IdentityHashMap<Savepoint, Integer> marks = new IdentityHashMap<>();

    private record Pending(StagedJobs into, StagedJob job) {}

    void add(StagedJobs into, StagedJob job) {
        jobs.add(new Pending(into, job));
    }

    void mark(Savepoint savepoint) {
        marks.put(savepoint, jobs.size());
    }

    /** The savepoint stays, as in PostgreSQL: one may roll back to it again. */
    void rollBackTo(Savepoint savepoint) {
        Integer mark = marks.get(savepoint);
        if (mark != null && mark < jobs.size()) {
            jobs.subList(mark, jobs.size()).clear();
        }
    }

    int size() {
        return jobs.size();
    }

    /** One statement, unless joined units stage into different tables. */
    void write(Connection connection) {
        for (int from = 0; from < jobs.size(); ) {
            StagedJobs into = jobs.get(from).into;
            int to = from + 1;
            while (to < jobs.size() && jobs.get(to).into.sameTable(into)) {
                to++;
            }
            into.write(
                    connection,
                    jobs.subList(from, to).stream().map(Pending::job).toList());
            from = to;
        }
    }
}
