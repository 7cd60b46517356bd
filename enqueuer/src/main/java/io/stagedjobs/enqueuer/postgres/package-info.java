/** All statements of the enqueuer. Knows nothing of Kafka. */
@NullMarked
package io.stagedjobs.enqueuer.postgres;

import org.jspecify.annotations.NullMarked;
