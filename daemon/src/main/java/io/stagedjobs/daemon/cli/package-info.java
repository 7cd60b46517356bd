/** The commands of {@code staged-jobs}, and the one place where everything is wired together. */
@NullMarked
package io.stagedjobs.daemon.cli;

import org.jspecify.annotations.NullMarked;
