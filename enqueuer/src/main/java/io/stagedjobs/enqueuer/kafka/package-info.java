/** All access to Kafka: records, topics, and which error means retry, refuse or wait. Knows no SQL. */
@NullMarked
package io.stagedjobs.enqueuer.kafka;

import org.jspecify.annotations.NullMarked;
