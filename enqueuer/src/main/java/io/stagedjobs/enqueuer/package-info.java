/**
 * Moves committed jobs to Kafka. One process owns some lanes; each lane it owns has one thread that moves batch after
 * batch.
 *
 * <h2>Terms</h2>
 *
 * <p>A <em>lane</em> is an ordered share of the jobs with one owner at a time: all jobs of one (topic, key) share a lane. A
 * <em>generation</em> counts the ownerships of a lane; whoever meets a newer one than its own lets go.
 *
 * <h2>Owning a lane</h2>
 *
 * <p>{@link io.stagedjobs.enqueuer.Enqueuer} renews this process's row every heartbeat and looks which enqueuers live and who
 * owns what; {@link io.stagedjobs.enqueuer.FairShare} says how many lanes are ours.
 * {@link io.stagedjobs.enqueuer.LaneRunner} tells the rest as a story:
 *
 * <pre>
 * acquire   transaction 1: write owner and generation, commit        {@link io.stagedjobs.enqueuer.Lanes#take}
 *        *  look at the lane's progress in Kafka, fencing nobody     {@link io.stagedjobs.enqueuer.Publisher#peek}
 *        *  transaction 2: compare it with the database, change      {@link io.stagedjobs.enqueuer.Lanes#compare}
 *           nothing; halt the lane if they contradict each other
 *           open the publisher, outside any transaction;             {@link io.stagedjobs.enqueuer.Publisher#open}
 *           this fences the lane's earlier producer (*)
 *        *  read the progress to its end, now final                  {@link io.stagedjobs.enqueuer.Publisher.Session#progress}
 *        *  transaction 3: compare again; delete the rows of a       {@link io.stagedjobs.enqueuer.Lanes#reconcile}
 *           batch that only Kafka knew, write its number, commit
 * a batch   begin; lock the lane, check the generation, read         {@link io.stagedjobs.enqueuer.Lanes#claim}
 *           publish and await the acknowledgements; records and      {@link io.stagedjobs.enqueuer.Publisher.Session#publish}
 *           progress are one Kafka transaction (*)
 *           delete exactly what was published, write the batch's     {@link io.stagedjobs.enqueuer.Batch#settle}
 *           number (*), commit
 * failure   roll back, close the publisher's session, rest, back to acquire
 * </pre>
 *
 * <p>What is marked * happens in delivery mode {@code exactly-once} only: there {@link io.stagedjobs.enqueuer.Publisher#peek}
 * has an answer, in {@code at-least-once} it has none. Batches of a lane are numbered without gaps.
 * {@link io.stagedjobs.enqueuer.Progress} holds the last number, the ids of its jobs and a digest of each job's identity.
 *
 * <h2>What holds under each failure</h2>
 *
 * <p>In both modes: a row is deleted only after Kafka has its record, so nothing is lost. A dead owner's transaction is
 * rolled back by PostgreSQL and its lanes are taken when its heartbeat is older than {@code takeover.after}. The lock on the
 * lane's row and the generation check keep two processes from moving one lane at the same time, whatever their clocks say:
 * all times that processes compare are the database's. While Kafka or PostgreSQL is away, no transaction is open.
 *
 * <p>{@code at-least-once}: a crash, or a lost answer, between Kafka's acknowledgement and our commit repeats at most that
 * batch.
 *
 * <p>{@code exactly-once}: Kafka's commit decides, the deletion only cleans up.
 *
 * <ul>
 *   <li>Before Kafka's commit: the Kafka transaction is aborted, by us, by the next owner's fencing or by its timeout. The
 *       rows are still there, and nobody has seen the records.
 *   <li>After Kafka's commit and before ours: the progress names the batch. The next owner finds it, deletes what is left of
 *       its rows and does not publish them again.
 *   <li>An answer that never came, from either side: never guessed. Acquiring finds out which of the two it was.
 *   <li>An owner that was stopped and wakes up: its producer is fenced, or its generation is old, or both.
 *   <li>Numbers that cannot both be true, because a database was restored or copied, or Kafka lost something:
 *       {@link io.stagedjobs.enqueuer.Reconciliation.Halted}. The lane publishes and deletes nothing until a person has
 *       looked. Comparing comes before fencing, so that a copy found out this way has not disturbed the original.
 * </ul>
 *
 * <p>The next Kafka transaction of a lane begins only after the rows of the last one are gone for good; that is why Kafka is
 * at most one batch ahead, and why one batch of progress is enough. {@code docs/guarantees.md} says what all this rests on.
 */
@NullMarked
package io.stagedjobs.enqueuer;

import org.jspecify.annotations.NullMarked;
