/** Puts an enqueuer together, for the daemon and for applications that run one inside themselves. */
@NullMarked
package io.stagedjobs.enqueuer.assembly;

import org.jspecify.annotations.NullMarked;
