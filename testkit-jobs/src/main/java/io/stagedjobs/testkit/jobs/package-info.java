/**
 * For the tests of applications that stage jobs. Nothing here is for production.
 *
 * <ul>
 *   <li>{@link io.stagedjobs.testkit.jobs.JobTables} reads the tables, even inside an open transaction; assert on its
 *       results with AssertJ: {@code assertThat(tables.staged()).hasJob("user.created").withKey("ann")}.
 *   <li>{@link io.stagedjobs.testkit.jobs.TestEnqueuer} publishes committed jobs to Kafka, with the real enqueuer.
 *   <li>{@link io.stagedjobs.testkit.jobs.Failure} makes the next staging or commit fail, so that a test sees whether
 *       its unit rolls back or retries.
 * </ul>
 *
 * <p>It works on any PostgreSQL and Kafka that a test has. docs/testing.md has examples.
 */
@NullMarked
package io.stagedjobs.testkit.jobs;

import org.jspecify.annotations.NullMarked;
