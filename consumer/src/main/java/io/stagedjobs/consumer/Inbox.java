package io.stagedjobs.consumer;

import io.stagedjobs.NoTransactionException;
import io.stagedjobs.Work;
import io.stagedjobs.schema.Schema;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;

/**
 * Handles each job once: records its id in the transaction of its effects, in the table {@code processed_jobs} of the
 * same database. A job that comes again finds its row and is skipped.
 *
 * <pre>{@code
 * Inbox inbox = Inbox.named("mailer");
 * unit.run(work -> inbox.once(work, job.id(), () -> mails.write(work, job)));
 * }</pre>
 *
 * <p><b>Transaction</b>: the caller's. If it rolls back, its claims are gone and the job may come again. Effects
 * outside this database are not undone with it: hand them the job's id as their idempotency key.
 *
 * <p><b>Concurrency</b>: while another open transaction has claimed the job, {@code claim} waits for its end, at most
 * 10 seconds. At the isolation levels REPEATABLE READ and SERIALIZABLE, a claim that was committed after the snapshot
 * is a serialization failure (SQLSTATE 40001), which a {@link io.stagedjobs.UnitOfWork} retries.
 *
 * <p><b>Threads</b>: immutable, thread-safe; a call uses the connection only in the calling thread.
 *
 * <p><b>Errors</b>: {@link InboxException}; the transaction can only be rolled back then.
 */
public final class Inbox {

    private static final int NAME_LENGTH_MAX = 255;

    private final String consumer;
    private final String claimOne;
    private final String claimMany;

    private Inbox(String consumer, Schema schema) {
        this.consumer = consumer;
        this.claimOne = "SELECT " + schema.qualified("claim_job") + "(?, ?)";
        this.claimMany = "SELECT * FROM " + schema.qualified("claim_jobs") + "(?, ?)";
    }

    /** The inbox of a consumer, with its tables in the schema {@code public}. */
    public static Inbox named(String consumer) {
        return named(consumer, Schema.PUBLIC);
    }

    /**
     * The inbox of a consumer.
     *
     * @param consumer 1 to 255 characters, stable: under another name every job counts as new. Use the group id in
     *     Kafka
     * @param schema of the tables
     */
    public static Inbox named(String consumer, Schema schema) {
        int length = consumer.codePointCount(0, consumer.length());
        if (length < 1 || length > NAME_LENGTH_MAX || consumer.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("the name of a consumer has 1 to " + NAME_LENGTH_MAX
                    + " characters and no control characters, not " + length + " characters");
        }
        return new Inbox(consumer, schema);
    }

    /** The consumer's name. */
    public String consumer() {
        return consumer;
    }

    /** The effects of one job. */
    @FunctionalInterface
    public interface Block<E extends Exception> {
        void run() throws E;
    }

    /**
     * Runs the block if this consumer has not handled the job yet.
     *
     * @param connection with an open transaction, in which the block works too
     * @return whether the block ran; false if the job was handled before
     * @throws NoTransactionException if the connection commits each statement by itself
     * @throws InboxException if the job could not be claimed
     * @throws E the block's exception; roll the transaction back
     */
    public <E extends Exception> boolean once(Connection connection, UUID job, Block<E> block) throws E {
        boolean first = claim(connection, job);
        if (first) {
            block.run();
        }
        return first;
    }

    /** As {@link #once(Connection, UUID, Block)}, in the transaction of a unit of work. */
    public <E extends Exception> boolean once(Work work, UUID job, Block<E> block) throws E {
        return once(work.connection(), job, block);
    }

    /**
     * Records that the open transaction handles the job.
     *
     * @return whether it is the first; false if the job was handled before
     * @throws NoTransactionException if the connection commits each statement by itself
     * @throws InboxException if the job could not be claimed
     */
    public boolean claim(Connection connection, UUID job) {
        requireTransaction(connection);
        try (PreparedStatement claim = connection.prepareStatement(claimOne)) {
            claim.setString(1, consumer);
            claim.setObject(2, job);
            try (ResultSet first = claim.executeQuery()) {
                first.next();
                return first.getBoolean(1);
            }
        } catch (SQLException e) {
            throw InboxException.of(consumer, "job " + job, e);
        }
    }

    /**
     * As {@link #claim(Connection, UUID)}, for many jobs in one statement.
     *
     * @return the jobs that this transaction is the first to handle
     */
    public Set<UUID> claim(Connection connection, Collection<UUID> jobs) {
        requireTransaction(connection);
        try (PreparedStatement claim = connection.prepareStatement(claimMany)) {
            Array ids = connection.createArrayOf("uuid", jobs.toArray());
            claim.setString(1, consumer);
            claim.setArray(2, ids);
            Set<UUID> first = new HashSet<>();
            try (ResultSet claimed = claim.executeQuery()) {
                while (claimed.next()) {
                    first.add(claimed.getObject(1, UUID.class));
                }
            }
            ids.free();
            return first;
        } catch (SQLException e) {
            throw InboxException.of(consumer, jobs.size() + " jobs", e);
        }
    }

    private void requireTransaction(Connection connection) {
        try {
            if (connection.getAutoCommit()) {
                throw new NoTransactionException(
                        "cannot handle a job once on an autocommit connection: the claim would be committed at once,"
                                + " apart from the job's effects. Nothing was claimed. Open a transaction first"
                                + " (Connection.setAutoCommit(false), DSLContext.transaction(…) or UnitOfWork).");
            }
        } catch (SQLException e) {
            throw InboxException.of(consumer, "a job", e);
        }
    }
}
