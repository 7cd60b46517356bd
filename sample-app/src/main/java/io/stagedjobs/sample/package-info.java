/**
 * A guided tour of Staged Jobs: a small web service whose every change of a row is told to Kafka, once and in order.
 *
 * <p>What to read, in this order:
 *
 * <ol>
 *   <li>{@link io.stagedjobs.sample.Users}: the unit of work. User, audit row and job are stored in one transaction, or
 *       nothing is. {@link io.stagedjobs.sample.Units} says how units are run.
 *   <li>{@link io.stagedjobs.sample.Orders}: a unit inside a unit. An order and its new buyer, with a job of each, all
 *       or nothing.
 *   <li>{@link io.stagedjobs.sample.Contracts}: expensive first, cheap last.
 *       {@link io.stagedjobs.sample.ContractSource} fetches from another service
 *       ({@link io.stagedjobs.sample.upstream}) while no connection is held.
 *   <li>{@link io.stagedjobs.sample.Aggregations}: work that is itself staged, done in the background, and staged again
 *       for later if it fails.
 *   <li>{@link io.stagedjobs.sample.Api}: all of that over HTTP, with requests that may come twice; {@link
 *       io.stagedjobs.sample.ErrorAnswers} says what is answered when something fails.
 *   <li>{@link io.stagedjobs.sample.JobReader}: the consumers at the other end.
 *   <li>{@link io.stagedjobs.sample.SampleApp} puts it together.
 * </ol>
 *
 * <p>What answers requests never talks to Kafka: users are created while no broker answers, and their jobs wait. It
 * knows nothing of the enqueuer either; the table {@code staged_jobs} is all that lies between them.
 */
@NullMarked
package io.stagedjobs.sample;

import org.jspecify.annotations.NullMarked;
