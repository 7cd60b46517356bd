/**
 * Handle jobs so that the effect of each happens once.
 *
 * <p>{@link io.stagedjobs.consumer.Inbox} records each handled job in the transaction of its effects, in the database
 * of the effects; a job that comes again is recognised and skipped. It needs no Kafka: jobs may also come from Spring
 * Kafka, a webhook or a file. {@link io.stagedjobs.consumer.Job} is a record of Kafka as a job. {@link
 * io.stagedjobs.consumer.InboxSchema} installs the tables.
 */
@NullMarked
package io.stagedjobs.consumer;

import org.jspecify.annotations.NullMarked;
