-- The era of lock.sql: the running server and the file of the id sequence.
-- Index: none.
-- Locks: nothing.
SELECT extract(epoch FROM pg_postmaster_start_time()) || ' ' || pg_relation_filenode(:'id_sequence'::regclass) AS era;
