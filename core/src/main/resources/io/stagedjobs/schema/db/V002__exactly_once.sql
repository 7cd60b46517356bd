-- Staged Jobs, schema version 2: the tables that delivery mode exactly-once needs.

-- The last settled batch of each lane: every batch inserts a row and deletes an older one. Never updated, because under
-- an old snapshot an updated row grows a chain of versions that each reader walks.
CREATE TABLE staged_job_batches (
    lane       smallint    NOT NULL,
    batch      bigint      NOT NULL,
    settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT staged_job_batches_pkey PRIMARY KEY (lane, batch)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.0);

COMMENT ON TABLE staged_job_batches IS 'Staged Jobs: the number of the newest batch of each lane that was deleted.';

-- One row: this database's delivery mode, written by the first enqueuer that starts, and this database's name in Kafka.
-- Both change together, by `staged-jobs migrate --change-delivery`.
CREATE TABLE staged_job_delivery (
    only_row   boolean NOT NULL DEFAULT true CONSTRAINT staged_job_delivery_pkey PRIMARY KEY CHECK (only_row),
    delivery   text    NULL CHECK (delivery IN ('exactly-once', 'at-least-once')),
    identity   uuid    NOT NULL DEFAULT gen_random_uuid()
);

INSERT INTO staged_job_delivery DEFAULT VALUES;

COMMENT ON TABLE staged_job_delivery IS 'Staged Jobs: the delivery mode and the identity of this database.';

INSERT INTO staged_jobs_schema (version) VALUES (2);
