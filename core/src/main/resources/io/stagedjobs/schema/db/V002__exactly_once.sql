-- Staged Jobs, schema version 2: what delivery mode exactly-once needs to remember.

-- The batches that were settled, newest kept: one row is inserted and an older one deleted with every batch. Never
-- updated, because under an old snapshot an updated row grows a chain of versions that each reader walks.
CREATE TABLE staged_job_batches (
    lane       smallint    NOT NULL,
    batch      bigint      NOT NULL,
    settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT staged_job_batches_pkey PRIMARY KEY (lane, batch)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.0);

COMMENT ON TABLE staged_job_batches IS 'Staged Jobs: the number of the newest batch of each lane that was deleted.';

-- One row: the delivery mode that this database works in, written by the first enqueuer that starts, and the name
-- under which Kafka knows this database. Both change together, by `staged-jobs migrate --change-delivery`.
CREATE TABLE staged_job_delivery (
    only_row   boolean NOT NULL DEFAULT true CONSTRAINT staged_job_delivery_pkey PRIMARY KEY CHECK (only_row),
    delivery   text    NULL CHECK (delivery IN ('exactly-once', 'at-least-once')),
    identity   uuid    NOT NULL DEFAULT gen_random_uuid()
);

INSERT INTO staged_job_delivery DEFAULT VALUES;

COMMENT ON TABLE staged_job_delivery IS 'Staged Jobs: the delivery mode and the identity of this database.';

INSERT INTO staged_jobs_schema (version) VALUES (2);
