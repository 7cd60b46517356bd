/** Every statement that the enqueuer runs. Knows nothing of Kafka. */
@NullMarked
package io.stagedjobs.enqueuer.postgres;

import org.jspecify.annotations.NullMarked;
