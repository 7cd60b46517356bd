package io.stagedjobs.enqueuer;

/** The two stores between which a lane moves jobs. */
record Ports(Lanes lanes, Publisher publisher) {}
