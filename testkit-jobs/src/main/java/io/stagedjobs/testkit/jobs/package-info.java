/**
 * For the tests of applications that stage jobs. Nothing here is for production.
 *
 * <ul>
 *   <li>{@link io.stagedjobs.testkit.jobs.JobTables} looks into the tables, inside an open transaction too; what it
 *       finds is asserted with AssertJ: {@code assertThat(tables.staged()).hasJob("user.created").withKey("ann")}.
 *   <li>{@link io.stagedjobs.testkit.jobs.TestEnqueuer} publishes to Kafka what was committed, with the real enqueuer.
 *   <li>{@link io.stagedjobs.testkit.jobs.Failure} has the next staging or commit fail, so that a test sees whether its
 *       unit rolls back, or tries again.
 * </ul>
 *
 * <p>All of it works on any PostgreSQL and Kafka; where a test has them from is its own affair. docs/testing.md shows
 * it at work.
 */
@NullMarked
package io.stagedjobs.testkit.jobs;

import org.jspecify.annotations.NullMarked;
