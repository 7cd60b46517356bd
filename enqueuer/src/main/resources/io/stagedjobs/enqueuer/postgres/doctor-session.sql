-- What transactions of this role have unless they say otherwise, and what the server risks after a crash.
-- Index: none.
-- Locks: nothing.
SELECT
    quote_ident(current_user) AS role,
    quote_ident(current_database()) AS database,
    current_setting('server_version') AS version,
    current_setting('default_transaction_isolation') AS isolation,
    current_setting('default_transaction_read_only') = 'on' AS read_only,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('fsync') = 'on' AS fsync,
    current_setting('full_page_writes') = 'on' AS full_page_writes,
    current_setting('autovacuum') = 'on' AS autovacuum,
    coalesce((SELECT s.setting::bigint FROM pg_catalog.pg_settings AS s WHERE s.name = 'transaction_timeout'), 0)
        AS transaction_millis,
    coalesce((SELECT s.setting::bigint FROM pg_catalog.pg_settings AS s WHERE s.name = 'idle_session_timeout'), 0)
        AS idle_session_millis;
