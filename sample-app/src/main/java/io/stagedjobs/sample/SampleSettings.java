package io.stagedjobs.sample;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The sample's settings: options, or the environment variables that their descriptions name. */
@Command(
        name = "sample",
        mixinStandardHelpOptions = true,
        description = "The sample service of Staged Jobs and its consumers.")
@SuppressWarnings("NullAway.Init") // picocli refuses a command line without a required option
public final class SampleSettings {

    @Option(
            names = "--database-url",
            required = true,
            defaultValue = "${env:SAMPLE_DATABASE_URL}",
            description = "SAMPLE_DATABASE_URL: like jdbc:postgresql://host:5432/database")
    String databaseUrl;

    @Option(
            names = "--database-username",
            required = true,
            defaultValue = "${env:SAMPLE_DATABASE_USERNAME}",
            description = "SAMPLE_DATABASE_USERNAME: the name of a database role")
    String databaseUsername;

    @Option(
            names = "--database-password",
            required = true,
            defaultValue = "${env:SAMPLE_DATABASE_PASSWORD}",
            description = "SAMPLE_DATABASE_PASSWORD: that role's password")
    String databasePassword;

    @Option(
            names = "--kafka",
            required = true,
            defaultValue = "${env:SAMPLE_KAFKA_BOOTSTRAP_SERVERS}",
            description = "SAMPLE_KAFKA_BOOTSTRAP_SERVERS: host:port of one or more brokers, separated by commas")
    String kafkaBootstrapServers;

    @Option(
            names = "--http-host",
            defaultValue = "${env:SAMPLE_HTTP_HOST:-127.0.0.1}",
            description = "SAMPLE_HTTP_HOST: 127.0.0.1 unless set")
    String httpHost;

    @Option(
            names = "--http-port",
            defaultValue = "${env:SAMPLE_HTTP_PORT:-8080}",
            description = "SAMPLE_HTTP_PORT: 8080 unless set; 0 for any free port")
    int httpPort;

    @Option(
            names = "--failures-allowed",
            defaultValue = "${env:SAMPLE_FAILURES_ALLOWED:-false}",
            description = "SAMPLE_FAILURES_ALLOWED=true: requests may ask to fail, with the header " + Api.FAIL_HEADER)
    boolean failuresAllowed;

    @Option(
            names = "--contracts-url",
            defaultValue = "${env:SAMPLE_CONTRACTS_URL}",
            description = "SAMPLE_CONTRACTS_URL: of the service that has the contracts, like http://host:8080;"
                    + " unless set, the sample starts one")
    @Nullable
    String contractsUrl;

    /** Settings from a command line; the environment provides those it leaves out. */
    public static SampleSettings of(String... args) {
        SampleSettings settings = new SampleSettings();
        new CommandLine(settings).parseArgs(args);
        return settings;
    }
}
