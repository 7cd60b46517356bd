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
 *   <li>{@link io.stagedjobs.testkit.ChildJvm} runs a main class that a test wants to kill;
 *       {@link io.stagedjobs.testkit.ChildProcess} is what it then holds, for any other program too.
 *   <li>{@link io.stagedjobs.testkit.Eventually} waits for what another process does, and
 *       {@link io.stagedjobs.testkit.AtOnce} has threads begin together.
 *   <li>{@link io.stagedjobs.testkit.Tools} finds programs that not every machine has.
 * </ul>
 *
 * <p>Which server is shared is decided once per JVM: an address in the environment ({@code TEST_DATABASE_URL},
 * {@code TEST_KAFKA}) wins, then Testcontainers where a Docker engine answers, then binaries from the class path. A
 * server that does not start fails the tests; none is ever skipped for the lack of one.
 *
 * <p>What is embedded lives in a temporary directory, listens on 127.0.0.1 only, and ends with this JVM, even if that
 * is killed; the directory goes with it. Only PostgreSQL's unpacked programs stay, for the next time. On Windows there
 * are no signals to freeze a process with, and an embedded PostgreSQL survives a JVM that is killed.
 *
 * <p>Nothing here knows about staged jobs, nor about any one test framework.
 */
@NullMarked
package io.stagedjobs.testkit;

import org.jspecify.annotations.NullMarked;
