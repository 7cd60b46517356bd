/**
 * Networks between the enqueuer and its servers that fail when a test wants it: {@link
 * io.stagedjobs.faultkit.PostgresFaultProxy} and {@link io.stagedjobs.faultkit.KafkaFaultProxy} can be cut, stalled, or
 * made to lose the answer to one particular request.
 *
 * <p>{@link io.stagedjobs.faultkit.TestOutbox} is the outbox that these tests look into, and {@link
 * io.stagedjobs.faultkit.Logged} hears what is logged.
 *
 * <p>For the tests of this project only; it is not published.
 */
@NullMarked
package io.stagedjobs.faultkit;

import org.jspecify.annotations.NullMarked;
