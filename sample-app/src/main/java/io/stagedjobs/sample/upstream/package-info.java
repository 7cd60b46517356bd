/**
 * A service that is not ours, for the sample to fetch from: it shows what happens when others are slow, wrong or away.
 */
@NullMarked
package io.stagedjobs.sample.upstream;

import org.jspecify.annotations.NullMarked;
