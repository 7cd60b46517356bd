/** Shared by the modules of this project; not API. */
@NullMarked
package io.stagedjobs.internal;

import org.jspecify.annotations.NullMarked;
