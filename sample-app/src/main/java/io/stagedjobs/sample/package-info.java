/**
 * A guided tour of Staged Jobs: a small web service whose every change of a row is told to Kafka, once and in order.
 *
 * <p>What to read, in this order:
 *
 * <ol>
 *   <li>{@link io.stagedjobs.sample.Users}: the unit of work. User, audit row and job are stored in one transaction, or
 *       nothing is.
 *   <li>{@link io.stagedjobs.sample.UserApi}: what the service answers, above all when something fails.
 *   <li>{@link io.stagedjobs.sample.JobPrinter}: the consumer at the other end.
 *   <li>{@link io.stagedjobs.sample.Auditor}: compares the rows in PostgreSQL with the records in Kafka and finds what
 *       was lost, invented, repeated or overtaken.
 *   <li>{@link io.stagedjobs.sample.SampleApp} runs service and consumer; {@link io.stagedjobs.sample.Demo} starts the
 *       servers and the enqueuer around them and plays a story.
 * </ol>
 *
 * <p>The service itself never talks to Kafka: users are created while no broker answers, and their jobs wait. It knows
 * nothing of the enqueuer either; the table {@code staged_jobs} is all that lies between them.
 */
@NullMarked
package io.stagedjobs.sample;

import org.jspecify.annotations.NullMarked;
