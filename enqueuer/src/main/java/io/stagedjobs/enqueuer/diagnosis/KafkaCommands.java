package io.stagedjobs.enqueuer.diagnosis;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Commands of Kafka's distribution that mend what was found. */
public final class KafkaCommands {

    private static final String BROKER = " --bootstrap-server <broker>";

    private KafkaCommands() {}

    /** Creates a topic; further options may follow. */
    public static String create(String topic) {
        return "kafka-topics.sh" + BROKER + " --create --topic " + topic;
    }

    public static String describe(String topic) {
        return "kafka-topics.sh" + BROKER + " --describe --topic " + topic;
    }

    /** @param setting of the topic, {@code name=value} */
    public static String configure(String topic, String setting) {
        return "kafka-configs.sh" + BROKER + " --alter --entity-type topics --entity-name " + topic + " --add-config "
                + setting;
    }

    /** Lets the enqueuer do these operations on the topic. */
    public static String allow(String topic, String... operations) {
        return "kafka-acls.sh" + BROKER + " --add --allow-principal User:<enqueuer>"
                + Arrays.stream(operations)
                        .map(operation -> " --operation " + operation)
                        .collect(Collectors.joining())
                + " --topic " + topic;
    }
}
