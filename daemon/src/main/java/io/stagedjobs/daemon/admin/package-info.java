/** The admin HTTP server: health, metrics, status. */
@NullMarked
package io.stagedjobs.daemon.admin;

import org.jspecify.annotations.NullMarked;
