/** The admin HTTP server: health, metrics, status. */
@NullMarked
package io.stagedjobs.enqueuer.admin;

import org.jspecify.annotations.NullMarked;
