package io.stagedjobs.benchmarks.namastack;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** A process that does nothing but work its outbox off; the settings are in application.properties. */
@SpringBootApplication
public class NamastackApplication {

    public static void main(String[] args) {
        SpringApplication.run(NamastackApplication.class, args);
    }
}
