/**
 * Stage jobs in the transactions of a Spring Boot application.
 *
 * <p>{@link io.stagedjobs.spring.TransactionalStagedJobs} is the bean that an application injects and calls from its
 * {@code @Transactional} methods; most applications need nothing else. There are also the beans {@link
 * io.stagedjobs.StagedJobs}, for code that holds a connection, and {@link io.stagedjobs.WakeUp}. Properties begin with
 * {@code staged-jobs}; docs/configuration.md lists them. For its retries you can still use a {@link
 * io.stagedjobs.UnitOfWork}; it opens a transaction of its own, so do not use it inside one of Spring's.
 *
 * <p>With {@code staged-jobs.enqueuer.enabled=true} and staged-jobs-enqueuer on the class path the application also
 * publishes: an enqueuer runs inside it, beside any others of the same database.
 */
@NullMarked
package io.stagedjobs.spring;

import org.jspecify.annotations.NullMarked;
