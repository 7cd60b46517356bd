/**
 * Moves committed jobs from PostgreSQL to Kafka. This page is the protocol's one telling; other pages link to it.
 *
 * <h2>Glossary</h2>
 *
 * <dl>
 *   <dt>job
 *   <dd>A row of {@code staged_jobs}, which a business transaction has inserted: {@link Job}.
 *   <dt>lane
 *   <dd>An ordered share of the jobs. All jobs of one topic and key share a lane. The database says how many lanes
 *       there are; there is one unless an operator asks for more.
 *   <dt>owner, standby
 *   <dd>Each lane has one owner at a time. An enqueuer that owns no lane stands by.
 *   <dt>generation
 *   <dd>Counts the ownerships of a lane. Whoever meets a newer generation than its own lets go.
 *   <dt>channel
 *   <dd>Under which of its names for Kafka a lane publishes. It grows when Kafka cannot end the lane's last transaction
 *       there.
 *   <dt>claim
 *   <dd>To lock a lane and read its next jobs: the {@link Batch}.
 *   <dt>publish
 *   <dd>To hand a batch to Kafka and wait until it is acknowledged: the {@link Outcome}.
 *   <dt>settle
 *   <dd>To delete what Kafka holds, to move aside what it refuses, and to commit both.
 *   <dt>progress
 *   <dd>What Kafka has committed last of a lane: {@link Progress}. Kept in delivery mode {@code exactly-once} only.
 *   <dt>set aside: held, parked
 *   <dd>Moved to {@code parked_jobs}. A held job returns by itself when its topic takes jobs; a parked one waits for a
 *       person.
 *   <dt>floor
 *   <dd>The id below which no job of a lane is left and none can appear: {@link ReadPosition}.
 *   <dt>era
 *   <dd>One life of a running server and of the sequence of ids. What is remembered of another era is not true.
 *   <dt>halted
 *   <dd>A lane whose two stores contradict each other, or whose rows cannot be deleted. It moves nothing until a person
 *       has looked.
 * </dl>
 *
 * <h2>A process</h2>
 *
 * <p>{@link Heartbeat} renews this process's row and sees which enqueuers live and who owns what. {@link FairShare}
 * says which lanes are ours, and {@link Enqueuer} keeps one {@link LaneRunner} for each. A runner takes step after
 * step; each step returns a {@link Step}, which says what happened, and the runner alone acts on it: log, meters,
 * health, and how long to rest ({@link Pace}).
 *
 * <h2>A lane</h2>
 *
 * <pre>
 * acquire   transaction 1: write owner and generation, commit        {@link Lanes#take}
 *        *  look at the lane's progress in Kafka, fencing nobody     {@link Publisher#peek}
 *        *  transaction 2: compare it with the database, change      {@link LaneTransaction#present}
 *           nothing; halt the lane if they contradict each other
 *           open the publisher, outside any transaction;             {@link Publisher#open}
 *           this fences the lane's earlier producer (*)
 *        *  if that cannot be: transaction: compare with what is     {@link Publisher.Decided}
 *           decided, settle it, write the next channel; open that    {@link LaneTransaction#useChannel}
 *        *  read the progress to its end, now final                  {@link Publisher.Session#progress}
 *           transaction 3: compare again, delete the rows of a       {@link LaneTransaction#delete}
 *           batch that only Kafka knew, write its number (*); see    {@link LaneTransaction#aside}
 *           what is set aside; write and commit in any case
 * tend      ask whether topics of held jobs take jobs again          {@link Publisher#refused}
 *           begin; put held jobs back, move aside what is blocked    {@link LaneTransaction#putBack}
 *           at the lane's head, commit                               {@link LaneTransaction#sweep}
 * claim     one message: begin; if a job waits, lock the lane,       {@link Lanes#claim}
 *           then read from the floor, without what is blocked;
 *           check the generation
 * publish   send, await the acknowledgements; records and            {@link Publisher.Session#publish}
 *           progress are one Kafka transaction (*); meanwhile, in
 *           a backlog, read ahead, and delete the batch's rows       {@link Lanes#readAhead}
 *           without committing it                                    {@link LaneTransaction#deleteMeanwhile}
 * settle    take that back if Kafka did not take all; one message:
 *           delete exactly what was published, write the batch's     {@link LaneTransaction#delete}
 *           number (*); move aside what was refused; commit          {@link LaneTransaction#moveAside}
 * failure   roll back, close the publisher's session, rest, back to acquire
 * </pre>
 *
 * <p>{@link LaneAcquisition} acquires; {@link LaneOwnership} claims, publishes and settles. What is marked * happens in
 * delivery mode {@code exactly-once} only: there {@link Publisher#peek} has an answer, in {@code at-least-once} it has
 * none. Batches of a lane are numbered without gaps.
 *
 * <p>Each transaction locks the lane and checks the generation. Who takes a lane's jobs out of {@code parked_jobs} by
 * hand makes a new generation. A server that was started since counts as one too, since it may have been given an
 * earlier state of the database; so does a database whose last batch is another one than the owner remembers.
 *
 * <p>All decisions are plain code over three ports: {@link Lanes}, {@link LaneTransaction} and {@link Publisher}. So
 * models can take the place of both stores.
 *
 * <h2>Setting aside</h2>
 *
 * <p>{@link Outcome} says which topics take nothing and which jobs were refused, {@link Refusal} why. {@link SetAside}
 * knows what of the lane is set aside and keeps the order of keys. All jobs of a topic that takes nothing are held.
 * While they return in pieces, reads leave the topic out from the lowest id on that is still held. What follows of a
 * parked job's key is left out too, and parked. A job that its topic might refuse is published alone, so that in
 * {@code at-least-once} nothing that follows it was sent before.
 *
 * <h2>What holds under each failure</h2>
 *
 * <p>In both modes the deletion of a row is committed only after Kafka has its record, and a job is moved aside with
 * all that it has. So nothing is lost. A dead owner's transaction is rolled back by PostgreSQL, and its lanes are taken
 * when its heartbeat is older than {@code takeover.after}. The lock on the lane's row and the generation check keep two
 * processes from moving one lane at the same time, whatever their clocks say: all times that processes compare are the
 * database's. While Kafka or PostgreSQL is away, no transaction is open; a batch in hand waits for Kafka for
 * {@code publish.timeout} in all.
 *
 * <p>{@code at-least-once}: a crash, or a lost answer, between Kafka's acknowledgement and our commit repeats at most
 * that batch. A process that goes on deletes the rows that it knows to be in Kafka before it publishes anything else.
 *
 * <p>{@code exactly-once}: Kafka's commit decides, the deletion only cleans up.
 *
 * <ul>
 *   <li>Before Kafka's commit: the Kafka transaction is aborted, by us, by the next owner's fencing or by its timeout.
 *       The rows are still there, and nobody has seen the records.
 *   <li>After Kafka's commit and before ours: the progress names the batch. The next owner finds it, deletes what is
 *       left of its rows and does not publish them again.
 *   <li>An answer that never came, from either side: never guessed. Acquiring finds out which of the two it was.
 *   <li>An owner that was stopped and wakes up: its producer is fenced, or its generation is old, or both.
 *   <li>A partition that cannot take the end of a transaction: nobody is fenced while it is away. The lane goes on
 *       under another channel if nobody can begin a transaction under the old one, because Kafka is one batch ahead, or
 *       because the last session there was this process's own; else it waits. Only after the commit of the channel is
 *       it used.
 *   <li>Numbers that cannot both be true, because a database was restored or copied, or Kafka lost something: the lane
 *       is halted ({@link Reconciliation}). Comparing comes before fencing, so that a copy found out this way has not
 *       disturbed the original.
 * </ul>
 *
 * <p>The next Kafka transaction of a lane begins only after the rows of the last one are gone for good. That is why
 * Kafka is at most one batch ahead, and why one batch of progress is enough. Reading ahead changes nothing of that:
 * what was read is published under the next lock. {@code docs/guarantees.md} says what all this rests on.
 */
@NullMarked
package io.stagedjobs.enqueuer;

import org.jspecify.annotations.NullMarked;
