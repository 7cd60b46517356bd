/** The admin HTTP server: health, metrics, and the API that {@code openapi.yaml} describes. */
@NullMarked
package io.stagedjobs.daemon.admin;

import org.jspecify.annotations.NullMarked;
