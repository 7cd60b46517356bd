/**
 * The demo: {@link io.stagedjobs.demo.Demo} starts PostgreSQL, Kafka, the enqueuer and the sample service on this
 * machine, and {@link io.stagedjobs.demo.Auditor} compares the rows in PostgreSQL with the records in Kafka, and finds
 * lost, invented, repeated and overtaken ones. {@link io.stagedjobs.demo.DemoStory} plays the demo by itself.
 *
 * <p>To see an application's code, read {@link io.stagedjobs.sample} instead.
 */
@NullMarked
package io.stagedjobs.demo;

import org.jspecify.annotations.NullMarked;
