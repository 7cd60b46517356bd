-- Something for the commit to put on disk, with all that is before it.
-- Index: none.
-- Locks: nothing.
SELECT pg_logical_emit_message(true, 'staged-jobs', '');
