/** The admin HTTP server: health, metrics, the API that {@code openapi.yaml} describes, and the operator's page. */
@NullMarked
package io.stagedjobs.daemon.admin;

import org.jspecify.annotations.NullMarked;
