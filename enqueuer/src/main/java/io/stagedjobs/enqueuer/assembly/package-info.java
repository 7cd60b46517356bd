/** Puts an enqueuer together, for the commands and for applications that run one inside themselves. */
@NullMarked
package io.stagedjobs.enqueuer.assembly;

import org.jspecify.annotations.NullMarked;
