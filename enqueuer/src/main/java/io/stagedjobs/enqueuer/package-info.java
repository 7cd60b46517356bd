/**
 * Moves committed jobs to Kafka. One process owns some lanes; each lane it owns has one thread that moves batch after
 * batch.
 *
 * <h2>Terms</h2>
 *
 * <p>A <em>lane</em> is an ordered share of the jobs with one owner at a time: all jobs of one (topic, key) share a lane. A
 * <em>generation</em> counts the ownerships of a lane; whoever meets a newer one than its own begins again. A job that cannot
 * be published is moved aside: <em>held</em> until its topic takes jobs, or <em>parked</em> until a person decides.
 *
 * <h2>Owning a lane</h2>
 *
 * <p>{@link io.stagedjobs.enqueuer.Enqueuer} renews this process's row every heartbeat and looks which enqueuers live and who
 * owns what ({@link io.stagedjobs.enqueuer.Membership}); {@link io.stagedjobs.enqueuer.FairShare} says how many lanes are ours.
 * {@link io.stagedjobs.enqueuer.LaneRunner} tells the rest as a story:
 *
 * <pre>
 * acquire   transaction 1: write owner and generation, commit        {@link io.stagedjobs.enqueuer.Lanes#take}
 *        *  look at the lane's progress in Kafka, fencing nobody     {@link io.stagedjobs.enqueuer.Publisher#peek}
 *        *  transaction 2: compare it with the database, change      {@link io.stagedjobs.enqueuer.LaneTransaction#present}
 *           nothing; halt the lane if they contradict each other
 *           open the publisher, outside any transaction;             {@link io.stagedjobs.enqueuer.Publisher#open}
 *           this fences the lane's earlier producer (*)
 *        *  read the progress to its end, now final                  {@link io.stagedjobs.enqueuer.Publisher.Session#progress}
 *           transaction 3: compare again, delete the rows of a       {@link io.stagedjobs.enqueuer.LaneTransaction#delete}
 *           batch that only Kafka knew, write its number (*); see    {@link io.stagedjobs.enqueuer.LaneTransaction#aside}
 *           what is moved aside, commit
 * tend      look whether topics of held jobs take jobs again         {@link io.stagedjobs.enqueuer.Publisher#refused}
 *           begin; put held jobs back, move aside what is blocked    {@link io.stagedjobs.enqueuer.LaneTransaction#putBack}
 *           at the lane's head, commit                               {@link io.stagedjobs.enqueuer.LaneTransaction#sweep}
 * a batch   of little, in turn with other lanes that have little     {@link io.stagedjobs.enqueuer.Gate#inTurn}
 *           look, now and then, up to which id nothing can appear    {@link io.stagedjobs.enqueuer.Lanes#readHorizon}
 *           begin; lock the lane, check the generation               {@link io.stagedjobs.enqueuer.Lanes#begin}
 *           read from the lane's floor, without what is blocked      {@link io.stagedjobs.enqueuer.LaneTransaction#read}
 *           publish and await the acknowledgements; records and      {@link io.stagedjobs.enqueuer.Publisher.Session#publish}
 *           progress are one Kafka transaction (*)
 *           delete exactly what was published, write the batch's     {@link io.stagedjobs.enqueuer.LaneTransaction#recordSettled}
 *           number (*), move aside what was refused, commit          {@link io.stagedjobs.enqueuer.LaneTransaction#moveAside}
 * failure   roll back, close the publisher's session, rest, back to acquire
 * </pre>
 *
 * <p>A lane in which nothing waits rests; {@link io.stagedjobs.enqueuer.Lookout} looks for all that rest at once, and tells
 * those in which jobs wait.
 *
 * <p>Each transaction locks the lane and checks the generation first; a newer one is answered like a failure. Who takes the
 * lane's jobs out of {@code parked_jobs} by hand makes one; a server that was started since counts as one, since it may have been
 * given an earlier state of the database.
 *
 * <p>What is marked * happens in delivery mode {@code exactly-once} only: there {@link io.stagedjobs.enqueuer.Publisher#peek}
 * has an answer, in {@code at-least-once} it has none. Batches of a lane are numbered without gaps.
 * {@link io.stagedjobs.enqueuer.Progress} holds the last number, the ids of its jobs and a digest of each job's identity.
 *
 * <h2>Moving aside</h2>
 *
 * <p>{@link io.stagedjobs.enqueuer.Outcome} says which topics take nothing and which jobs were refused,
 * {@link io.stagedjobs.enqueuer.Refusal} why. {@link io.stagedjobs.enqueuer.Aside} knows what of the lane is aside, from the
 * tables at first, and keeps the order of keys: all jobs of such a topic are held; while they return in pieces, reads leave out
 * the topic from the lowest id on that is still held; what follows of a parked job's key is left out too, and parked. A job
 * that its topic might refuse is published alone, so that in {@code at-least-once} nothing that follows it was sent before.
 *
 * <p>All of these decisions are plain code over the three ports {@link io.stagedjobs.enqueuer.Lanes},
 * {@link io.stagedjobs.enqueuer.LaneTransaction} and {@link io.stagedjobs.enqueuer.Publisher}, so that models can take the
 * place of both stores.
 *
 * <h2>What holds under each failure</h2>
 *
 * <p>In both modes: a row is deleted only after Kafka has its record, and moved aside with all that it has, so nothing is
 * lost. A dead owner's transaction is rolled back by PostgreSQL and its lanes are taken when its heartbeat is older than
 * {@code takeover.after}. The lock on the lane's row and the generation check keep two processes from moving one lane at the
 * same time, whatever their clocks say: all times that processes compare are the database's. While Kafka or PostgreSQL is away, no transaction is open; a batch in
 * hand waits for Kafka for {@code publish.timeout} in all.
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
