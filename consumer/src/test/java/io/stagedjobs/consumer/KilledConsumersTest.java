package io.stagedjobs.consumer;

import io.stagedjobs.UnitOfWork;
import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** Processes of a consumer are killed at random; {@code -Dconsumer.kills} says how often. */
class KilledConsumersTest {

    private static final int KILLS = Integer.getInteger("consumer.kills", 5);
    private static final int KEYS = 40;
    private static final int JOBS_OF_A_KEY = 25;
    private static final Duration PATIENCE = Duration.ofSeconds(90);

    /** One consumer as a process. */
    static final class Main {

        private Main() {}

        public static void main(String[] args) throws InterruptedException {
            String topic = args[4];
            JobConsumer.named(topic)
                    .topics(topic)
                    .on("numbered", Integer.class, (work, job) -> work.dsl()
                            .execute("INSERT INTO effects (key, number) VALUES (?, ?)", job.key(), job.payload()))
                    .database(UnitOfWork.on(ConsumerScene.pool(args[0], args[1], args[2])))
                    .kafka(Map.of(
                            "bootstrap.servers",
                            args[3],
                            "session.timeout.ms",
                            "6000",
                            "heartbeat.interval.ms",
                            "1000"))
                    .jobsPerUnit(Integer.parseInt(args[5]))
                    .workers(4)
                    .start();
            new CountDownLatch(1).await();
        }
    }

    private static ChildProcess start(ConsumerScene scene, int jobsPerUnit) {
        return ChildJvm.start(
                "consumer",
                Main.class,
                List.of("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                List.of(
                        scene.database.url(),
                        scene.database.username(),
                        scene.database.password(),
                        ConsumerScene.KAFKA.bootstrapServers(),
                        scene.topic,
                        String.valueOf(jobsPerUnit)),
                Map.of());
    }

    @Test
    void whatever_is_killed_each_job_has_its_effect_once_in_the_order_of_its_key() throws Exception {
        Random random = new Random(KILLS);
        try (ConsumerScene scene = new ConsumerScene(4)) {
            ChildProcess survivor = scene.keep(start(scene, 1));
            for (int kill = 0; kill < KILLS; kill++) {
                ChildProcess victim = scene.keep(start(scene, 1 + random.nextInt(20)));
                int before = scene.effects();
                scene.publish(KEYS, JOBS_OF_A_KEY);
                int some = before + 1 + random.nextInt(KEYS * JOBS_OF_A_KEY / 2);
                Eventually.until("some effects", PATIENCE, () -> scene.effects() >= some);
                (random.nextBoolean() ? victim : survivor).kill();
                survivor = survivor.isRunning() ? survivor : victim;
            }
            scene.checkAll();
        }
    }
}
