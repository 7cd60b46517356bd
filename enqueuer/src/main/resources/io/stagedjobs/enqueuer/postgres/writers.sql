-- The transactions that may hold ids which are not visible yet: every INSERT and COPY takes this lock before it draws
-- an id, and a prepared transaction keeps it.
-- Index: none.
-- Locks: nothing.
SELECT DISTINCT held.virtualtransaction AS writer
FROM pg_locks AS held
WHERE held.locktype = 'relation' AND held.mode = 'RowExclusiveLock' AND held.granted
    AND held.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
    AND held.relation = :'jobs_table'::regclass;
