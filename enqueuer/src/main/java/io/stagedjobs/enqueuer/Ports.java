package io.stagedjobs.enqueuer;

/** The two stores that a lane moves jobs between. */
record Ports(Lanes lanes, Publisher publisher) {}
