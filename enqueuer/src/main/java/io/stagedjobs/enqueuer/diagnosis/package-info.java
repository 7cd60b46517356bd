/**
 * Answers "why is nothing moving?" and what else is wrong, from what PostgreSQL and Kafka tell. Reads only.
 *
 * <p>{@link io.stagedjobs.enqueuer.diagnosis.Doctor} asks both through the ports
 * {@link io.stagedjobs.enqueuer.diagnosis.DatabaseChecks} and {@link io.stagedjobs.enqueuer.diagnosis.KafkaChecks};
 * {@link io.stagedjobs.enqueuer.diagnosis.Why} composes the sentence.
 */
@NullMarked
package io.stagedjobs.enqueuer.diagnosis;

import org.jspecify.annotations.NullMarked;
