package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.BatchLimits;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Read;
import io.stagedjobs.enqueuer.ReadCriteria;
import io.stagedjobs.enqueuer.postgres.Statements.JobRead;
import io.stagedjobs.enqueuer.postgres.Statements.Message;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One statement that reads the next jobs of a lane, with the reader of its rows.
 *
 * @param <S> the ways to send it
 * @param values the values of its parameters
 * @param rows empty if one of the jobs exceeds its share of the bytes and came without its payload: then {@link #sized}
 *     reads
 */
record ReadQuery<S>(S sql, Map<String, Object> values, OpenTransaction.Rows<Optional<Read>> rows) {

    /** The cheapest statement for these criteria. */
    static ReadQuery<JobRead> of(Statements sql, int lane, ReadCriteria criteria) {
        return criteria.blocked().isNothing() ? small(sql, lane, criteria) : sized(sql, lane, criteria);
    }

    private static ReadQuery<JobRead> small(Statements sql, int lane, ReadCriteria criteria) {
        BatchLimits limits = criteria.limits();
        long share = limits.bytesMax() / limits.rowsMax();
        return new ReadQuery<>(
                sql.read,
                Map.of("share", share, "lane", lane, "after", criteria.after(), "rows_max", limits.rowsMax()),
                answer -> readSmall(answer, share, limits));
    }

    /** Sums up sizes and ends at the limit of bytes; leaves out blocked jobs. */
    static ReadQuery<JobRead> sized(Statements sql, int lane, ReadCriteria criteria) {
        BatchLimits limits = criteria.limits();
        Blocked blocked = criteria.blocked();
        return new ReadQuery<>(
                sql.readSized,
                Map.of(
                        "lane", lane,
                        "after", criteria.after(),
                        "refused_topics", blocked.topics().toArray(new String[0]),
                        "held_topics", blocked.from().keySet().toArray(new String[0]),
                        "held_from", blocked.from().values().toArray(new Long[0]),
                        "followers", blocked.followers(),
                        "rows_max", limits.rowsMax(),
                        "bytes_max", limits.bytesMax()),
                answer -> Optional.of(readSized(answer, limits)));
    }

    /** Leaves out the jobs in hand, whose ids are in order. */
    static ReadQuery<Message> ahead(Statements sql, int lane, ReadCriteria criteria, List<Job> without) {
        BatchLimits limits = criteria.limits();
        return new ReadQuery<>(
                sql.readAhead,
                Map.of(
                        "lane", lane,
                        "after", criteria.after(),
                        "ids_in_hand", without.stream().mapToLong(Job::id).toArray(),
                        "rows_max", limits.rowsMax(),
                        "bytes_max", limits.bytesMax()),
                answer -> Optional.of(readSized(answer, limits)));
    }

    private static Optional<Read> readSmall(ResultSet answer, long share, BatchLimits limits) throws SQLException {
        JobRows rows = new JobRows(answer);
        List<Job> jobs = new ArrayList<>();
        while (rows.next()) {
            if (rows.bytes() > share) {
                return Optional.empty();
            }
            jobs.add(rows.job());
        }
        return Optional.of(new Read(jobs, jobs.size() == limits.rowsMax()));
    }

    private static Read readSized(ResultSet answer, BatchLimits limits) throws SQLException {
        JobRows rows = new JobRows(answer);
        List<Job> jobs = new ArrayList<>();
        long bytes = 0;
        while (rows.next()) {
            jobs.add(rows.job());
            bytes = rows.bytes();
        }
        return new Read(jobs, jobs.size() == limits.rowsMax() || bytes >= limits.bytesMax());
    }
}
