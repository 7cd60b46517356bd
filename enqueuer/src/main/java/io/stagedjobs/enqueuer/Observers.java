package io.stagedjobs.enqueuer;

/** The receivers of what the lanes of a process do. Thread-safe. */
record Observers(Health health, Meters meters) {}
