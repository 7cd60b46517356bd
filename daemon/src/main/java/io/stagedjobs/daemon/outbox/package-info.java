/** What the admin server tells of an outbox and does to it, by PostgreSQL. */
@NullMarked
package io.stagedjobs.daemon.outbox;

import org.jspecify.annotations.NullMarked;
