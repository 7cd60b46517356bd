package io.stagedjobs.consumer;

import io.stagedjobs.StagedJobsException;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * A record in Kafka is no job: somebody else wrote it, or its headers were lost on the way. The message names the
 * record and shows nothing of its content. Reading it again does not help.
 */
public final class NotAJobException extends StagedJobsException {

    NotAJobException(ConsumerRecord<?, ?> record, String why) {
        super(
                "the record at offset " + record.offset() + " of partition " + record.topic() + "-" + record.partition()
                        + " is no job: " + why + ". Only an enqueuer may write to a topic of jobs.",
                null);
    }
}
