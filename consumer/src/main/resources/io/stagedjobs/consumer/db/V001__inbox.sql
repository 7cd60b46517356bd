-- Staged Jobs, inbox version 1: the jobs that a consumer has handled, in the database of its effects.

-- One row per consumer and job, inserted in the transaction of the job's effects.
CREATE TABLE processed_jobs (
    -- The consumer's name, which is its group id in Kafka.
    consumer     text        NOT NULL,
    job_id       uuid        NOT NULL,
    processed_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT processed_jobs_pkey PRIMARY KEY (consumer, job_id),
    CONSTRAINT processed_jobs_consumer CHECK (length(consumer) BETWEEN 1 AND 255)
);

COMMENT ON TABLE processed_jobs IS 'Staged Jobs: the jobs that a consumer has handled.';

-- Rows only come, in the order of time, and go from the beginning: vacuum by number of rows, not by share of the table.
ALTER TABLE processed_jobs SET (
    autovacuum_vacuum_threshold = 100000,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = 1000000,
    autovacuum_vacuum_insert_scale_factor = 0.0
);

-- Whether the calling transaction is the first to handle the job. If another open transaction has claimed it, this waits
-- for its end, at most 10 seconds: then it fails with SQLSTATE 55P03.
CREATE FUNCTION claim_job(consumer text, job_id uuid)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path FROM CURRENT
    SET lock_timeout = '10s'
    AS $$
BEGIN
    INSERT INTO processed_jobs (consumer, job_id) VALUES ($1, $2) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

COMMENT ON FUNCTION claim_job(text, uuid) IS
    'Staged Jobs: whether the current transaction is the first to handle the job.';

-- The same for many jobs: those that the calling transaction is the first to handle. It claims them in the order of
-- their ids, so that two transactions with the same jobs cannot deadlock.
CREATE FUNCTION claim_jobs(consumer text, job_ids uuid[])
    RETURNS SETOF uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path FROM CURRENT
    SET lock_timeout = '10s'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    INSERT INTO processed_jobs (consumer, job_id)
    SELECT $1, claimed.job_id FROM unnest($2) AS claimed (job_id) ORDER BY claimed.job_id
    ON CONFLICT DO NOTHING
    RETURNING job_id;
END
$$;

COMMENT ON FUNCTION claim_jobs(text, uuid[]) IS
    'Staged Jobs: those of the jobs that the current transaction is the first to handle.';

-- One row per partition that a consumer reads. Every job below next_offset is finished: it has its effects and its row
-- above, or nobody handles it. Written about once a second, apart from the jobs' transactions, and before the offset is
-- committed to Kafka: so an offset in Kafka that is ahead of its mark shows that this database has lost commits.
CREATE TABLE consumer_marks (
    consumer    text    NOT NULL,
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    -- Kafka's id of the topic; another topic of the same name has another one.
    topic_id    uuid    NOT NULL,
    next_offset bigint  NOT NULL,

    CONSTRAINT consumer_marks_pkey PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.0);

COMMENT ON TABLE consumer_marks IS 'Staged Jobs: how far each consumer has finished each partition.';

-- The applied migrations, whichever tool applied them.
CREATE TABLE inbox_schema (
    version    integer     NOT NULL CONSTRAINT inbox_schema_pkey PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE inbox_schema IS 'Staged Jobs: applied migrations of the inbox.';

INSERT INTO inbox_schema (version) VALUES (1);
