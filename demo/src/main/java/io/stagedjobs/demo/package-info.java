/**
 * The demo: {@link io.stagedjobs.demo.Demo} starts PostgreSQL, Kafka, the enqueuer and the sample service on this
 * machine, and {@link io.stagedjobs.demo.Auditor} compares the rows in PostgreSQL with the records in Kafka: what was
 * lost, invented, repeated or overtaken. {@link io.stagedjobs.demo.DemoStory} is the demo playing by itself.
 *
 * <p>For a look at the code that an application has, read {@link io.stagedjobs.sample} instead.
 */
@NullMarked
package io.stagedjobs.demo;

import org.jspecify.annotations.NullMarked;
