-- Records the number of a batch that was deleted, in the place of the one before: numbers follow each other, and an old
-- snapshot keeps the entries of all that were before.
-- Index: staged_job_batches_pkey, one entry.
-- Locks: the row it deletes.
INSERT INTO :"schema".staged_job_batches (lane, batch) VALUES (:lane, :batch);
DELETE FROM :"schema".staged_job_batches WHERE lane = :lane AND batch = :batch - 1;
