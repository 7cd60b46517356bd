package io.stagedjobs.enqueuer;

/** Who is told what the lanes of a process do; safe for use by all their threads. */
record Observers(Health health, Meters meters) {}
