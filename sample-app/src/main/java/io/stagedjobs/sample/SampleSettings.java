package io.stagedjobs.sample;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * How the sample is run, read from environment variables ({@code SAMPLE_…}).
 *
 * @param httpPort 0 for any free port
 * @param failuresAllowed whether requests may ask to fail, see {@link UserApi#FAIL_HEADER}
 * @param contractsUrl of the service that has the contracts, without a path; null to start the one that ships with the sample
 */
record SampleSettings(
        String databaseUrl,
        String databaseUsername,
        String databasePassword,
        String kafkaBootstrapServers,
        String httpHost,
        int httpPort,
        boolean failuresAllowed,
        @Nullable String contractsUrl) {

    static final String DATABASE_URL = "SAMPLE_DATABASE_URL";
    static final String DATABASE_USERNAME = "SAMPLE_DATABASE_USERNAME";
    static final String DATABASE_PASSWORD = "SAMPLE_DATABASE_PASSWORD";
    static final String KAFKA_BOOTSTRAP_SERVERS = "SAMPLE_KAFKA_BOOTSTRAP_SERVERS";
    static final String HTTP_HOST = "SAMPLE_HTTP_HOST";
    static final String HTTP_PORT = "SAMPLE_HTTP_PORT";
    static final String FAILURES = "SAMPLE_FAILURES";
    static final String CONTRACTS_URL = "SAMPLE_CONTRACTS_URL";

    private static final String PREFIX = "SAMPLE_";
    private static final List<String> KNOWN = List.of(
            DATABASE_URL,
            DATABASE_USERNAME,
            DATABASE_PASSWORD,
            KAFKA_BOOTSTRAP_SERVERS,
            HTTP_HOST,
            HTTP_PORT,
            FAILURES,
            CONTRACTS_URL);
    private static final int PORT_MAX = 65_535;

    /** The environment does not say how to run; the message names everything that is wrong, one line each. */
    static final class InvalidSettingsException extends RuntimeException {
        InvalidSettingsException(List<String> problems) {
            super("cannot start with these settings:\n  " + String.join("\n  ", problems));
        }
    }

    /** @throws InvalidSettingsException if a value is missing or wrong, or a variable is not known */
    static SampleSettings from(Map<String, String> environment) {
        return new Reader(environment).settings();
    }

    /** Leaves the password out, so that a log line may show this. */
    @Override
    public String toString() {
        return databaseUsername + " at " + databaseUrl + ", Kafka at " + kafkaBootstrapServers + ", HTTP at " + httpHost
                + ":" + httpPort;
    }

    /** Collects every problem instead of stopping at the first one. */
    private static final class Reader {
        private final Map<String, String> environment;
        private final List<String> problems = new ArrayList<>();

        Reader(Map<String, String> environment) {
            this.environment = environment;
        }

        SampleSettings settings() {
            SampleSettings settings = new SampleSettings(
                    databaseUrl(),
                    required(DATABASE_USERNAME, "the name of a database role"),
                    required(DATABASE_PASSWORD, "that role's password"),
                    required(KAFKA_BOOTSTRAP_SERVERS, "host:port of one or more brokers, separated by commas"),
                    environment.getOrDefault(HTTP_HOST, "127.0.0.1"),
                    port(),
                    failures(),
                    contractsUrl());
            refuseUnknown();
            if (!problems.isEmpty()) {
                throw new InvalidSettingsException(problems);
            }
            return settings;
        }

        private String required(String variable, String expected) {
            @Nullable String value = environment.get(variable);
            if (value == null || value.isBlank()) {
                problems.add(variable + ": expected " + expected + ", got nothing");
                return "";
            }
            return value;
        }

        private String databaseUrl() {
            String url = required(DATABASE_URL, "a URL like jdbc:postgresql://host:5432/database");
            if (!url.isEmpty() && !url.startsWith("jdbc:postgresql:")) {
                // The value is not repeated: people put passwords into URLs.
                problems.add(DATABASE_URL + ": expected a URL that starts with jdbc:postgresql:, got another one");
            }
            return url;
        }

        private int port() {
            String value = environment.getOrDefault(HTTP_PORT, "8080");
            try {
                int port = Integer.parseInt(value);
                if (port >= 0 && port <= PORT_MAX) {
                    return port;
                }
            } catch (NumberFormatException e) {
                // reported below, like a number out of range
            }
            problems.add(
                    HTTP_PORT + ": expected a port from 0 (any free one) to " + PORT_MAX + ", got \"" + value + "\"");
            return 0;
        }

        private boolean failures() {
            @Nullable String value = environment.get(FAILURES);
            if (value != null && !value.equals("allowed")) {
                problems.add(FAILURES + ": expected \"allowed\" or no such variable, got \"" + value + "\"");
            }
            return value != null;
        }

        private @Nullable String contractsUrl() {
            @Nullable String value = environment.get(CONTRACTS_URL);
            if (value != null && !value.matches("https?://[^/@]+")) {
                // The value is not repeated: people put passwords into URLs.
                problems.add(
                        CONTRACTS_URL + ": expected scheme, host and port like http://host:8080, or no such variable,"
                                + " got something else");
            }
            return value;
        }

        private void refuseUnknown() {
            for (String variable : new TreeSet<>(environment.keySet())) {
                if (variable.startsWith(PREFIX) && !KNOWN.contains(variable)) {
                    problems.add(variable + ": is not known; known are " + String.join(", ", KNOWN));
                }
            }
        }
    }
}
