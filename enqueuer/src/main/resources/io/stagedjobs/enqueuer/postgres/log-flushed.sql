-- Whether all of the write-ahead log is on disk.
-- Index: none.
-- Locks: nothing.
SELECT pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn() AS flushed;
