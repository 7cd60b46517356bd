package io.stagedjobs;

import java.sql.Connection;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * The jobs of an open unit that are staged and not written yet, in the order in which they were staged. A savepoint
 * marks how many there were when it was set; rolling back to it takes back what came after.
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

    /** The savepoint stays, as it does in PostgreSQL: one may roll back to it again. */
    void rollBackTo(Savepoint savepoint) {
        Integer mark = marks.get(savepoint);
        if (mark != null && mark < jobs.size()) {
            jobs.subList(mark, jobs.size()).clear();
        }
    }

    int size() {
        return jobs.size();
    }

    /** One statement, unless units that stage into different tables were joined. */
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
