/** A foreign service for the sample to fetch from: it shows what happens when others are slow, wrong or down. */
@NullMarked
package io.stagedjobs.sample.upstream;

import org.jspecify.annotations.NullMarked;
