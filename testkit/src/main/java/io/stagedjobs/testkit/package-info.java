/**
 * Real servers for tests and demonstrations: PostgreSQL, Kafka, and processes that can be killed.
 *
 * <p>Where to begin:
 *
 * <ul>
 *   <li>{@link io.stagedjobs.testkit.TestPostgres#shared()} and {@link io.stagedjobs.testkit.TestKafka#shared()} give
 *       the one server that all tests of a JVM share. A test class takes a database and topics of its own from them.
 *   <li>{@code startEmbedded()} of both gives a server that belongs to one test, which may stop it, kill it, freeze it
 *       and start it again with its data.
 *   <li>{@link io.stagedjobs.testkit.ChildJvm} runs a main class that a test wants to kill; {@link
 *       io.stagedjobs.testkit.ChildProcess} represents it, or any other program.
 *   <li>{@link io.stagedjobs.testkit.Eventually} waits for another process, and {@link io.stagedjobs.testkit.AtOnce}
 *       starts threads together.
 *   <li>{@link io.stagedjobs.testkit.Tools} finds external programs.
 * </ul>
 *
 * <p>Each JVM chooses its shared server once: an address in the environment ({@code TEST_DATABASE_URL}, {@code
 * TEST_KAFKA}) takes precedence, then Testcontainers if a Docker engine answers, then binaries from the class path. If
 * a server does not start, the tests fail; none is skipped.
 *
 * <p>An embedded server has a temporary directory, listens only on 127.0.0.1, and ends with this JVM, even if that is
 * killed; its directory is deleted. Only PostgreSQL's unpacked programs stay, for the next time. On Windows no signal
 * freezes a process, and an embedded PostgreSQL survives a killed JVM.
 *
 * <p>Nothing here depends on staged jobs or on a test framework.
 */
@NullMarked
package io.stagedjobs.testkit;

import org.jspecify.annotations.NullMarked;
