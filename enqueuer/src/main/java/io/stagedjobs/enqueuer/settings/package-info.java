/** The enqueuer's settings: what there is, where a value comes from, and what is wrong with it. */
@NullMarked
package io.stagedjobs.enqueuer.settings;

import org.jspecify.annotations.NullMarked;
