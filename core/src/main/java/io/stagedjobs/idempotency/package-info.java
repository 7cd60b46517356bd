/**
 * Does each HTTP request once, even if the client repeats it: {@link io.stagedjobs.idempotency.IdempotencyKeys} answers
 * a {@link io.stagedjobs.idempotency.Request} with its first {@link io.stagedjobs.idempotency.Response}.
 */
@NullMarked
package io.stagedjobs.idempotency;

import org.jspecify.annotations.NullMarked;
