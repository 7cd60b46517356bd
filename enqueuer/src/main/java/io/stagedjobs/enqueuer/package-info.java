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
 *           open the publisher, outside any transaction              {@link io.stagedjobs.enqueuer.Publisher#open}
 *           read what Kafka holds already of this lane               {@link io.stagedjobs.enqueuer.Publisher.Session#progress}
 *           transaction 2: delete that if it is still there, commit  {@link io.stagedjobs.enqueuer.Lanes#reconcile}
 * a batch   begin; lock the lane, check the generation, read         {@link io.stagedjobs.enqueuer.Lanes#claim}
 *           publish and await the acknowledgements                   {@link io.stagedjobs.enqueuer.Publisher.Session#publish}
 *           delete exactly what was acknowledged, commit             {@link io.stagedjobs.enqueuer.Batch#settle}
 * failure   roll back, close the publisher's session, rest, back to acquire
 * </pre>
 *
 * <h2>What holds under each failure</h2>
 *
 * <p>A row is deleted only after Kafka acknowledged its record, so nothing is lost. A crash between the acknowledgement
 * and the commit repeats at most that batch (delivery mode {@code at-least-once}). A dead owner's transaction is rolled
 * back by PostgreSQL and its lanes are taken when its heartbeat is older than {@code takeover.after}. The lock on the lane's
 * row and the generation check keep two processes from moving one lane at the same time, whatever their clocks say: all
 * times that processes compare are the database's. While Kafka or PostgreSQL is away, no transaction is open.
 */
@NullMarked
package io.stagedjobs.enqueuer;

import org.jspecify.annotations.NullMarked;
