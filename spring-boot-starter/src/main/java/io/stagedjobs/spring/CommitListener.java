package io.stagedjobs.spring;

/**
 * Is told, in the committing thread, that a transaction was committed and how many jobs it had staged; at least one.
 */
interface CommitListener {

    void committed(int jobs);
}
