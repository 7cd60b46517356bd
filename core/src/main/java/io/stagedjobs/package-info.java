/**
 * Stage jobs inside the business transaction that needs them.
 *
 * <p>The promise: a job is published to Kafka if and only if the transaction that staged it committed. Staging is a row
 * in {@code staged_jobs}, written on the caller's own connection, so it commits or rolls back with the business rows. A
 * separate process, the enqueuer, takes committed rows in batches, publishes them and deletes them.
 *
 * <p>A job's life: <em>staged</em> (a row in an open transaction, visible to nobody else), <em>waiting</em>
 * (committed), <em>published</em> (Kafka acknowledged it; the row is deleted).
 *
 * <p>Which class to open first: {@link io.stagedjobs.StagedJobs} stages {@linkplain io.stagedjobs.StagedJob jobs} in a
 * transaction that the application already has; most applications need nothing else. {@link io.stagedjobs.UnitOfWork}
 * opens that transaction, commits it only on full success and retries conflicts; {@link
 * io.stagedjobs.idempotency.IdempotencyKeys} does so for HTTP requests that a client may repeat. {@link
 * io.stagedjobs.WakeUp} wakes resting enqueuers after a commit. {@link io.stagedjobs.schema.Schema} installs the
 * tables.
 */
@NullMarked
package io.stagedjobs;

import org.jspecify.annotations.NullMarked;
