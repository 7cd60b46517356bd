/**
 * A guided tour of Staged Jobs: a small web service that reports every change of a row to Kafka, once and in order.
 *
 * <p>What to read, in this order:
 *
 * <ol>
 *   <li>{@link io.stagedjobs.sample.Users}: the unit of work. User, audit row and job are stored in one transaction, or
 *       nothing is. {@link io.stagedjobs.sample.Units} says how units are run.
 *   <li>{@link io.stagedjobs.sample.Orders}: a unit inside a unit. An order and its new buyer, with a job of each, all
 *       or nothing.
 *   <li>{@link io.stagedjobs.sample.Contracts}: slow work first, then a short transaction. {@link
 *       io.stagedjobs.sample.ContractSource} fetches from another service ({@link io.stagedjobs.sample.upstream})
 *       without holding a connection.
 *   <li>{@link io.stagedjobs.sample.Aggregations}: background work that is itself a staged job, and is staged again for
 *       later if it fails.
 *   <li>{@link io.stagedjobs.sample.Api}: all of that over HTTP, with requests that a client may repeat; {@link
 *       io.stagedjobs.sample.ErrorAnswers} answers after failures.
 *   <li>{@link io.stagedjobs.sample.JobReader}: the consumers at the other end.
 *   <li>{@link io.stagedjobs.sample.SampleApp} puts it together.
 * </ol>
 *
 * <p>The code that answers requests never talks to Kafka: it creates users while no broker answers, and their jobs
 * wait. It knows nothing of the enqueuer either; they share only the table {@code staged_jobs}.
 */
@NullMarked
package io.stagedjobs.sample;

import org.jspecify.annotations.NullMarked;
