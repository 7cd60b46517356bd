package io.stagedjobs.spring;

import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.springframework.boot.EnvironmentPostProcessor;
import org.springframework.boot.SpringApplication;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;

/**
 * Keeps out of the application's log what an enqueuer's libraries write each time they begin: all settings of each
 * Kafka client, and jOOQ's logo. These are defaults of Spring Boot's {@code logging.level.…}, so the application's own
 * levels for the same loggers win.
 */
final class EnqueuerLogLevels implements EnvironmentPostProcessor {

    private static final Map<String, Object> DEFAULTS = Stream.of(
                    "org.apache.kafka.common.config.AbstractConfig",
                    "org.apache.kafka.common.utils.AppInfoParser",
                    "org.jooq.Constants")
            .collect(Collectors.toMap(logger -> "logging.level." + logger, logger -> "warn"));

    @Override
    public void postProcessEnvironment(ConfigurableEnvironment environment, SpringApplication application) {
        if (environment.getProperty(EnqueuerSettings.PREFIX + EnqueuerSettings.ENABLED, Boolean.class, false)) {
            environment.getPropertySources().addLast(new MapPropertySource("stagedJobsLogLevels", DEFAULTS));
        }
    }
}
