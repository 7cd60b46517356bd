package io.stagedjobs.spring;

/**
 * Receives, in the committing thread, each commit of a transaction that staged jobs, with their number, at least one.
 */
interface CommitListener {

    void committed(int jobs);
}
