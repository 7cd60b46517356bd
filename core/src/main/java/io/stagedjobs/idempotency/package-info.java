/**
 * HTTP requests that a client may send again, each done once: {@link io.stagedjobs.idempotency.IdempotencyKeys} answers
 * a {@link io.stagedjobs.idempotency.Request} with a {@link io.stagedjobs.idempotency.Response}, the first one it had.
 */
@NullMarked
package io.stagedjobs.idempotency;

import org.jspecify.annotations.NullMarked;
