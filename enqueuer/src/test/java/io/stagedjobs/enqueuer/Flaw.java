package io.stagedjobs.enqueuer;

/** A protocol that is broken on purpose: the simulator has to find out. Each is built into a model, at the port it belongs to. */
enum Flaw {
    NONE,
    /** The publisher answers when the records are acknowledged, with Kafka's commit still on its way. */
    DELETES_BEFORE_KAFKAS_COMMIT_IS_KNOWN,
    /** A new owner writes down the batch that only Kafka knew, but does not look for its rows. */
    SKIPS_THE_RECONCILE,
    /** Nobody waits for the lane's lock, and rows that another transaction is deleting are passed over. */
    SKIPS_LOCKED_ROWS,
    /** The progress is understood as "everything up to the highest id". */
    TAKES_THE_HIGHEST_ID_FOR_PROGRESS,
    /** A transaction locks the lane and does not look who owns it now. */
    DOES_NOT_CHECK_THE_GENERATION,
    /** The next batch is read while this one is under way, from where this one ends. */
    READS_AHEAD,
    /** What follows of a parked job's key is read like anything else. */
    DOES_NOT_LEAVE_FOLLOWERS_OUT,
    /** A new owner's producer starts beside the earlier one. */
    DOES_NOT_FENCE,
    /** Deletes all rows up to the last one that was published. */
    DELETES_UP_TO_THE_LAST_ID,
    /** Reads rows of transactions that a crash of PostgreSQL may take back. */
    DOES_NOT_FLUSH_THE_LOG,
    /** Reads begin above an id as soon as it was drawn. */
    FLOOR_DOES_NOT_WAIT_FOR_WRITERS,
    /** Reads that begin above an old transaction go on there when it is over. */
    FLOOR_FORGETS_ITS_EXCEPTIONS,
    /** An old transaction counts as open until it has given up its locks. */
    TAKES_A_LOCK_FOR_AN_OPEN_TRANSACTION,
    /** Lets the floor pass blocked jobs that were not moved aside yet. */
    SWEEP_CLAIMS_MORE_THAN_IT_LOOKED_AT
}
