/**
 * Moves committed jobs from PostgreSQL to Kafka. This page has the glossary and describes the protocol; other pages
 * link to it.
 *
 * <h2>Glossary</h2>
 *
 * <dl>
 *   <dt>enqueuer
 *   <dd>The process, or the part of an application, that moves jobs to Kafka: {@link Enqueuer}.
 *   <dt>job
 *   <dd>A row of {@code staged_jobs}, inserted by a business transaction: {@link Job}.
 *   <dt>lane
 *   <dd>An ordered share of the jobs. All jobs of one topic and key share a lane. The database says how many lanes
 *       there are; there is one unless an operator asks for more.
 *   <dt>owner, standby
 *   <dd>The owner is the one enqueuer that moves a lane now. An enqueuer that owns no lane stands by.
 *   <dt>generation
 *   <dd>Counts the ownerships of a lane. An owner that finds a newer generation than its own lets go.
 *   <dt>channel
 *   <dd>The number of a lane's transactional id in Kafka. It grows when Kafka cannot end the lane's last transaction
 *       under the old one.
 *   <dt>claim
 *   <dd>To lock a lane and read its next jobs, a {@link Batch}.
 *   <dt>publish
 *   <dd>To send a batch to Kafka and await the acknowledgements, with an {@link Outcome}.
 *   <dt>settle
 *   <dd>To delete the published jobs of a batch, to move the refused ones aside, and to commit both.
 *   <dt>progress
 *   <dd>The last batch of a lane that Kafka committed: {@link Progress}. Only delivery mode {@code exactly-once} keeps
 *       it.
 *   <dt>moved aside: held, parked
 *   <dd>Moved to {@code parked_jobs}. A held job returns by itself when its topic takes jobs again; a parked one waits
 *       for a person.
 *   <dt>blocked
 *   <dd>Must not be published now: jobs of a topic that takes no jobs, later ones of a topic whose held jobs still
 *       return, and later jobs of a parked job's key.
 *   <dt>floor
 *   <dd>The id below which no job of a lane is left and none can appear: {@link ReadPosition}.
 *   <dt>era
 *   <dd>The time from one start of the database server to the next, with one sequence of ids. Knowledge from another
 *       era is worthless.
 *   <dt>halted
 *   <dd>A lane whose two stores contradict each other, or whose rows cannot be deleted. It moves no job until a person
 *       has acted.
 * </dl>
 *
 * <h2>A process</h2>
 *
 * <p>{@link Heartbeat} renews this process's row and reads the live enqueuers and the owners of lanes. {@link
 * FairShare} computes which lanes are ours, and {@link Enqueuer} runs one {@link LaneRunner} for each. A runner takes
 * step after step. Each returns a {@link Step}, which says what happened, and only the runner acts on it: log, meters,
 * health, and how long to rest ({@link Pace}).
 *
 * <h2>A lane</h2>
 *
 * <pre>
 * acquire   transaction 1: write owner and generation, commit        {@link Lanes#take}
 *        *  look at the lane's progress in Kafka, fencing nobody     {@link Publisher#peek}
 *        *  transaction 2: compare it with the database, change      {@link LaneTransaction#present}
 *           nothing; halt the lane if the two contradict each other
 *           open the publisher, outside any transaction;             {@link Publisher#open}
 *           this fences the lane's earlier producer (*)
 *        *  if it cannot open: transaction: compare with Kafka's     {@link Publisher.Decided}
 *           decision, settle it, write the next channel; open that   {@link LaneTransaction#useChannel}
 *        *  read the progress to its end, now final                  {@link Publisher.Session#progress}
 *           transaction 3: compare again, delete the rows of a       {@link LaneTransaction#delete}
 *           batch that only Kafka knew, write its number (*); read   {@link LaneTransaction#aside}
 *           what was moved aside; write and commit in any case
 * tend      ask whether topics of held jobs take jobs again          {@link Publisher#refused}
 *           begin; put held jobs back, move blocked ones aside       {@link LaneTransaction#putBack}
 *           at the lane's head, commit                               {@link LaneTransaction#sweep}
 * claim     one message: begin; if a job waits, lock the lane,       {@link Lanes#claim}
 *           then read unblocked jobs from the floor; check the
 *           generation
 * publish   send, await the acknowledgements; records and            {@link Publisher.Session#publish}
 *           progress are one Kafka transaction (*); meanwhile, in
 *           a backlog, read ahead, and delete the batch's rows       {@link Lanes#readAhead}
 *           without committing it                                    {@link LaneTransaction#deleteMeanwhile}
 * settle    undo that if Kafka did not take all; one message:
 *           delete exactly the published rows, write the batch's     {@link LaneTransaction#delete}
 *           number (*); move refused jobs aside; commit              {@link LaneTransaction#moveAside}
 * failure   roll back, close the publisher's session, rest, back to acquire
 * </pre>
 *
 * <p>{@link LaneAcquisition} acquires; {@link LaneOwnership} claims, publishes and settles. Steps marked * happen only
 * in delivery mode {@code exactly-once}: in {@code at-least-once}, {@link Publisher#peek} returns no progress. Batches
 * of a lane are numbered without gaps.
 *
 * <p>Each transaction locks the lane and checks the generation. An operator's command that takes a lane's jobs out of
 * {@code parked_jobs} makes a new generation. A restart of the server counts as one too, because the server may have
 * been given an earlier state of the database; so does a database whose last batch differs from the owner's memory.
 *
 * <p>All decisions are plain code over three ports: {@link Lanes}, {@link LaneTransaction} and {@link Publisher}. So
 * models can replace both stores.
 *
 * <h2>Moving aside</h2>
 *
 * <p>{@link Outcome} says which topics take no jobs and which jobs were refused, {@link Refusal} why. {@link
 * MovedAside} knows which jobs of the lane were moved aside, and keeps the order of keys. All jobs of a topic that
 * takes no jobs are held. While they return in pieces, reads leave out the topic's jobs from its lowest held id on.
 * Later jobs of a parked job's key are left out too, and parked. A job that its topic might refuse is published alone,
 * so that in {@code at-least-once} no later job of its key is sent before.
 *
 * <h2>What holds under each failure</h2>
 *
 * <p>In both modes the deletion of a row is committed only after Kafka has its record, and a job is moved aside
 * complete. So no job is lost. PostgreSQL rolls back a dead owner's transaction, and other enqueuers take its lanes
 * when its heartbeat is older than {@code takeover.after}. The lock on the lane's row and the generation check keep two
 * processes from moving one lane at the same time, whatever their clocks say: all times that processes compare are the
 * database's. While Kafka or PostgreSQL is down, no transaction is open; a batch in hand waits for Kafka for {@code
 * publish.timeout} in all.
 *
 * <p>{@code at-least-once}: a crash, or a lost answer, between Kafka's acknowledgement and our commit repeats at most
 * that batch. A process that goes on first deletes the rows that it knows to be in Kafka, before it publishes anything
 * else.
 *
 * <p>{@code exactly-once}: Kafka's commit decides, the deletion only cleans up.
 *
 * <ul>
 *   <li>Before Kafka's commit: the Kafka transaction is aborted, by us, by the next owner's fencing or by its timeout.
 *       The rows are still there, and nobody has seen the records.
 *   <li>After Kafka's commit and before ours: the progress names the batch. The next owner finds it, deletes the rows
 *       that are still there and does not publish them again.
 *   <li>A missing answer, from either store: never guessed. Acquiring finds out which of the two cases it was.
 *   <li>An owner that was stopped and wakes up: its producer is fenced, or its generation is old, or both.
 *   <li>A partition that cannot take the end of a transaction: the old producer cannot be fenced meanwhile. The lane
 *       goes on under another channel if nobody can begin a transaction under the old one, because Kafka is one batch
 *       ahead, or because the last session there was this process's own; else it waits. The lane uses the new channel
 *       only after it is committed to the database.
 *   <li>Numbers that contradict each other, because a database was restored or copied, or Kafka lost records: the lane
 *       is halted ({@link Reconciliation}). The comparison comes before the fencing, so that a detected copy has not
 *       disturbed the original.
 * </ul>
 *
 * <p>The next Kafka transaction of a lane begins only after the rows of the last one are gone for good. So Kafka is at
 * most one batch ahead, and one batch of progress is enough. Reading ahead does not change that: jobs read ahead are
 * published under the next lock. {@code docs/guarantees.md} says what all this rests on.
 */
@NullMarked
package io.stagedjobs.enqueuer;

import org.jspecify.annotations.NullMarked;
