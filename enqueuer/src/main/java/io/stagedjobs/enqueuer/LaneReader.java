package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Read;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the jobs of one lane for its owner: knows where reads begin, and reads the next batch while Kafka has this one.
 * For the lane's thread and one ownership.
 *
 * <p>Reading ahead does not begin at the end of the batch in hand: a job that commits meanwhile may have a lower id
 * than a later job of its key. It begins where the batch in hand began and leaves out exactly that batch's jobs, in one
 * statement, so that it contains every job that was visible before any of its own jobs. Its result is used only under
 * the next lock of the lane, after the check of the generation, and only if the batch in hand was published completely.
 */
final class LaneReader {

    private static final Logger log = LoggerFactory.getLogger(LaneReader.class);

    /** Runs a task outside the lane's thread. */
    interface Background {

        /** Starts {@code task}; the returned object waits for its result, or rethrows its exception. */
        <T> Supplier<T> start(Supplier<T> task);
    }

    /** The criteria of a read, and the view before it. */
    private record Question(ReadCriteria criteria, CommitHorizon.View horizon) {}

    private record Ahead(Question question, Supplier<Optional<Read>> answer) {}

    private final int lane;
    private final long generation;
    private final Lanes lanes;
    private final CommitHorizon horizon;
    private final Background background;
    private final ReadPosition position;

    private boolean waits = true;
    private Question asked;
    private @Nullable Ahead ahead;

    LaneReader(int lane, long generation, String era, Lanes lanes, CommitHorizon horizon, Background background) {
        this.lane = lane;
        this.generation = generation;
        this.lanes = lanes;
        this.horizon = horizon;
        this.background = background;
        this.position = new ReadPosition(era);
        this.asked = new Question(position.select(Blocked.NOTHING, new BatchLimits(1, 1)), CommitHorizon.View.NOTHING);
    }

    /** Whether a job of the lane waits, according to the last claim. */
    boolean waits() {
        return waits;
    }

    /** The current view of ids that can still be committed; looks again only while jobs wait. */
    CommitHorizon.View horizon() {
        return waits ? horizon.look() : horizon.known();
    }

    ReadPosition position() {
        return position;
    }

    /** Begins a transaction in which all knowledge of the lane is true; empty if the lane must be acquired anew. */
    Optional<LaneTransaction> begin() {
        return lanes.begin(lane, generation).flatMap(this::inThisEra);
    }

    /** The transaction, unless the server was started since: then it is closed. */
    private Optional<LaneTransaction> inThisEra(LaneTransaction transaction) {
        if (position.isTrueIn(transaction.era())) {
            return Optional.of(transaction);
        }
        transaction.close();
        return Optional.empty();
    }

    /**
     * Claims the lane with its next jobs. The result is {@link ClaimResult.State#SUPERSEDED} also after a restart of
     * the server.
     */
    ClaimResult claim(Blocked blocked, BatchLimits limits) {
        Ahead readAhead = ahead;
        ahead = null;
        ClaimResult claim = readAhead == null ? claimAndRead(blocked, limits) : claimWith(readAhead, blocked, limits);
        waits = claim.state() != ClaimResult.State.NOTHING_WAITS;
        return claim;
    }

    private ClaimResult claimAndRead(Blocked blocked, BatchLimits limits) {
        asked = new Question(position.select(blocked, limits), horizon());
        ClaimResult claim = lanes.claim(lane, generation, position.era(), asked.criteria);
        if (claim.state() == ClaimResult.State.NOTHING_WAITS) { // no blocked job either
            position.passed(Long.MAX_VALUE, asked.criteria.withNothingBlocked(), asked.horizon);
        }
        LaneTransaction transaction = claim.transaction();
        return transaction == null
                ? claim
                : inThisEra(transaction)
                        .map(open -> unlessExceptionIsOver(open, claim.read(), blocked, limits))
                        .orElse(ClaimResult.SUPERSEDED);
    }

    /** An old transaction has committed: its jobs are below the start of the read. */
    private ClaimResult unlessExceptionIsOver(
            LaneTransaction transaction, Read read, Blocked blocked, BatchLimits limits) {
        try {
            if (asked.criteria.exceptions().isEmpty() || !transaction.anyOver(asked.criteria.exceptions())) {
                return ClaimResult.of(transaction, read);
            }
            position.backToFloor();
            asked = new Question(position.select(blocked, limits), asked.horizon);
            return ClaimResult.of(transaction, transaction.read(asked.criteria));
        } catch (RuntimeException e) {
            transaction.close();
            throw e;
        }
    }

    private ClaimResult claimWith(Ahead readAhead, Blocked blocked, BatchLimits limits) {
        Optional<Read> read = answer(readAhead);
        if (read.isEmpty()
                || read.get().jobs().isEmpty()
                || !readAhead.question.criteria.blocked().equals(blocked)) {
            return claimAndRead(blocked, limits);
        }
        asked = readAhead.question;
        return begin().map(open -> ClaimResult.of(open, read.get())).orElse(ClaimResult.SUPERSEDED);
    }

    /** A failure of reading ahead does not affect the lane: it reads again. */
    private Optional<Read> answer(Ahead readAhead) {
        try {
            return readAhead.answer.get();
        } catch (ExternalFailureException | CancellationException e) {
            log.debug("lane {}: could not read ahead: {}", lane, e.getMessage());
            return Optional.empty();
        }
    }

    /**
     * Begins to read the next jobs, if more jobs wait than those in hand. Only while no job is blocked, because the
     * outcome of this batch may change which jobs are blocked.
     */
    void readAhead(Read inHand, BatchLimits limits) {
        if (!inHand.full() || !asked.criteria.blocked().equals(Blocked.NOTHING)) {
            return;
        }
        Question question = new Question(position.select(Blocked.NOTHING, limits), horizon.look());
        List<Job> without = inHand.jobs();
        ahead = new Ahead(
                question, background.start(() -> lanes.readAhead(lane, position.era(), question.criteria, without)));
    }

    /** The batch in hand was not published completely: jobs read ahead could overtake the remaining ones. */
    void forgetAhead() {
        ahead = null;
    }

    /**
     * Raises the floor above the jobs that were read and are gone.
     *
     * @param left the jobs of the read that stay in the lane
     */
    void passed(Read read, List<Job> left) {
        long through = Long.MAX_VALUE;
        if (!left.isEmpty()) {
            through = left.get(0).id() - 1;
        } else if (read.full()) {
            through = read.jobs().get(read.jobs().size() - 1).id();
        }
        position.passed(through, asked.criteria, asked.horizon);
    }
}
