-- Staged Jobs, schema version 4: the first answer to each request that a client may repeat.

-- One row per answered request. It is inserted when the work begins, completed with the answer, and committed together
-- with the business rows and the staged jobs: no row without its work, and no work twice.
CREATE TABLE staged_job_idempotency_keys (
    -- The owner of the key: two clients may choose the same one.
    scope           text        NOT NULL,
    idempotency_key text        NOT NULL,
    -- Identifies the request: the same key with another request is refused.
    fingerprint     text        NOT NULL,
    -- The answer. Null only within the transaction that does the work.
    status          integer     NULL,
    headers         jsonb       NULL,
    body            bytea       NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT staged_job_idempotency_keys_pkey PRIMARY KEY (scope, idempotency_key),
    CONSTRAINT staged_job_idempotency_keys_sizes CHECK (
        length(scope) BETWEEN 1 AND 255 AND length(idempotency_key) BETWEEN 1 AND 255
        AND length(fingerprint) BETWEEN 1 AND 255),
    CONSTRAINT staged_job_idempotency_keys_status CHECK (status BETWEEN 100 AND 599),
    CONSTRAINT staged_job_idempotency_keys_headers CHECK (jsonb_typeof(headers) = 'object'),
    CONSTRAINT staged_job_idempotency_keys_body_size CHECK (octet_length(body) <= 1000000)
-- The transaction that inserts a row updates it once: free room on its page keeps that update out of the indexes.
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

-- For pruning, oldest first.
CREATE INDEX staged_job_idempotency_keys_age ON staged_job_idempotency_keys (created_at);

COMMENT ON TABLE staged_job_idempotency_keys IS
    'Staged Jobs: idempotency keys of HTTP requests with their first answer; prune what is old.';

INSERT INTO staged_jobs_schema (version) VALUES (4);
