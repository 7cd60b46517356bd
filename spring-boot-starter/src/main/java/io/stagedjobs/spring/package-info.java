/**
 * Stage jobs in the transactions of a Spring Boot application.
 *
 * <p>{@link io.stagedjobs.spring.TransactionalStagedJobs} is what an application injects and calls from its
 * {@code @Transactional} methods; most need nothing else. The bean {@link io.stagedjobs.StagedJobs}, for those who hold
 * a connection, and {@link io.stagedjobs.WakeUp} are there too. Properties begin with {@code staged-jobs};
 * docs/configuration.md has the list. A {@link io.stagedjobs.UnitOfWork} is still there for who wants its retries; it
 * opens a transaction of its own, and is not for use inside one of Spring's.
 *
 * <p>With {@code staged-jobs.enqueuer.enabled=true} and staged-jobs-enqueuer on the class path the application also
 * publishes: an enqueuer runs inside it, beside any others of the same database.
 */
@NullMarked
package io.stagedjobs.spring;

import org.jspecify.annotations.NullMarked;
