-- Records the number of a deleted batch, in place of the previous number. Numbers have no gaps, so the previous entry
-- is found directly, although an old snapshot keeps the entries of all earlier ones.
-- Index: staged_job_batches_pkey, one entry.
-- Locks: the row it deletes.
INSERT INTO :"schema".staged_job_batches (lane, batch) VALUES (:lane, :batch);
DELETE FROM :"schema".staged_job_batches WHERE lane = :lane AND batch = :batch - 1;
