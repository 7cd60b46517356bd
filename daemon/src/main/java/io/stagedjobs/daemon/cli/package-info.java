/** The commands of {@code staged-jobs}. */
@NullMarked
package io.stagedjobs.daemon.cli;

import org.jspecify.annotations.NullMarked;
