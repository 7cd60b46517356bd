package io.stagedjobs.enqueuer.assembly;

import io.stagedjobs.enqueuer.diagnosis.Doctor;
import io.stagedjobs.enqueuer.diagnosis.Thresholds;
import io.stagedjobs.enqueuer.kafka.KafkaClientSettings;
import io.stagedjobs.enqueuer.kafka.KafkaDoctor;
import io.stagedjobs.enqueuer.postgres.DatabaseDoctor;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;

/** Builds a {@link Doctor} from settings: those of an enqueuer, which it sees with the same eyes and rights. */
public final class DoctorAssembly {

    private DoctorAssembly() {}

    /** @throws SettingsException if a setting is missing or wrong */
    public static Doctor doctor(Settings settings) {
        return doctor(settings, Thresholds.DEFAULT);
    }

    /** @throws SettingsException if a setting is missing or wrong */
    public static Doctor doctor(Settings settings, Thresholds thresholds) {
        settings.get(Setting.KAFKA_BOOTSTRAP_SERVERS);
        DatabaseDoctor.Expected expected = new DatabaseDoctor.Expected(
                settings.get(Setting.DELIVERY),
                settings.get(Setting.PUBLISH_TIMEOUT),
                settings.get(Setting.TAKEOVER_AFTER));
        return new Doctor(
                new DatabaseDoctor(
                        EnqueuerAssembly.database(settings), EnqueuerAssembly.schema(settings), expected, thresholds),
                new KafkaDoctor(
                        new KafkaClientSettings(settings.passedThrough(), expected.publishTimeout()),
                        expected.delivery(),
                        expected.takeoverAfter()),
                thresholds);
    }
}
