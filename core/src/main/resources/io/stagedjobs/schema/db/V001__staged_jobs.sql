-- Staged Jobs, schema version 1. Never edited after a release: a change is a new file.
--
-- Every name is created in the first schema of the search_path, so that `staged-jobs migrate` (which sets it) and
-- Flyway (default schema) can both apply this file. The functions keep that schema: a caller's search_path cannot
-- redirect them. Function bodies are quoted, since not every client splits BEGIN ATOMIC … END correctly.

-- The lane of a job: jobs of one (topic, job_key) always share a lane, jobs without a key are spread by their id.
-- hashtextextended is what hash partitioning uses: its values are stable across PostgreSQL releases.
-- The collation is named so that they do not depend on the database's own either.
CREATE FUNCTION staged_jobs_lane(topic text, job_key text, id bigint) RETURNS smallint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (CASE
        WHEN job_key IS NULL THEN id & 7
        ELSE hashtextextended(job_key COLLATE "C", hashtextextended(topic COLLATE "C", 0)) & 7
    END)::smallint;

COMMENT ON FUNCTION staged_jobs_lane(text, text, bigint) IS
    'Staged Jobs: which of the 8 lanes (0 to 7) moves a job. Changing the number of lanes is a migration.';

-- Whether a job is what Kafka takes. What it never can is refused here, where it fails the business transaction that made it; an
-- error names the rule that is broken. One condition in PL/pgSQL, which keeps its plans: PostgreSQL prepares a
-- table's conditions anew for every statement, and these took half of an INSERT's time.
CREATE FUNCTION staged_jobs_is_fine(topic text, job_key text, job_name text, headers jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog
    AS $$
DECLARE
    broken text := CASE
        WHEN length(topic) NOT BETWEEN 1 AND 249
            OR translate(topic, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.', '') <> ''
            OR topic IN ('.', '..') THEN 'staged_jobs_topic_name'
        -- The enqueuer may write to its own topic: nobody may have it do so by staging a job.
        WHEN topic LIKE 'staged-jobs-progress-%' THEN 'staged_jobs_topic_reserved'
        WHEN length(job_name) NOT BETWEEN 1 AND 255 THEN 'staged_jobs_job_name_size'
        WHEN octet_length(job_key) > 4096 THEN 'staged_jobs_job_key_size'
        WHEN octet_length(headers::text) > 100000 THEN 'staged_jobs_headers_size'
        WHEN jsonb_typeof(headers) <> 'object'
            OR jsonb_path_exists(headers, '$.* ? (@.type() != "string")') THEN 'staged_jobs_headers_strings'
        WHEN jsonb_path_exists(headers, '$.keyvalue() ? (@.key starts with "ce_")', '{}', true)
            THEN 'staged_jobs_headers_prefix'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE check_violation USING
            MESSAGE = 'new row for relation "staged_jobs" violates check constraint "' || broken || '"',
            TABLE = 'staged_jobs', CONSTRAINT = broken;
    END IF;
    RETURN true;
END
$$;

-- Jobs that wait to be published. Rows are inserted by applications and deleted by the enqueuer, never updated.
-- (lane, id) is the only index: the enqueuer reads one lane in id order.
CREATE TABLE staged_jobs (
    -- As staged_jobs_lane says. Written out, because PostgreSQL would look into a function anew for every statement.
    lane      smallint    NOT NULL GENERATED ALWAYS AS ((CASE
        WHEN job_key IS NULL THEN id & 7
        ELSE hashtextextended(job_key COLLATE "C", hashtextextended(topic COLLATE "C", 0)) & 7
    END)::smallint) STORED,
    -- The position. Always drawn from the sequence, one by one (CACHE 1): inside one key, a job that was staged after
    -- another one's commit has the higher id.
    id        bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1),
    job_id    uuid        NOT NULL DEFAULT gen_random_uuid(),
    topic     text        NOT NULL,
    job_key   text        NULL,
    job_name  text        NOT NULL,
    payload   bytea       NULL,
    headers   jsonb       NULL,
    staged_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT staged_jobs_pkey PRIMARY KEY (lane, id),
    CONSTRAINT staged_jobs_rules CHECK (staged_jobs_is_fine(topic, job_key, job_name, headers)),
    CONSTRAINT staged_jobs_payload_size CHECK (octet_length(payload) <= 900000)
);

COMMENT ON TABLE staged_jobs IS
    'Staged Jobs: insert here inside your business transaction; the enqueuer publishes to Kafka and deletes.';

-- A queue table is all churn: vacuum soon, by count and not by share of the table, and without pauses.
ALTER TABLE staged_jobs SET (
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_vacuum_insert_scale_factor = 0.0,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 100000,
    autovacuum_analyze_scale_factor = 0.0,
    toast.autovacuum_vacuum_threshold = 10000,
    toast.autovacuum_vacuum_scale_factor = 0.0,
    toast.autovacuum_vacuum_cost_delay = 0
);

-- Stages one JSON job from any language. The id is made here and not read back, so that a role with nothing but
-- INSERT on the columns can call it.
CREATE FUNCTION stage_job(topic text, job_name text, payload jsonb, job_key text DEFAULT NULL, headers jsonb DEFAULT NULL)
    RETURNS uuid
    LANGUAGE sql VOLATILE
    SET search_path FROM CURRENT
    AS $$
    WITH fresh AS MATERIALIZED (SELECT gen_random_uuid() AS job_id),
    staged AS (
        INSERT INTO staged_jobs (job_id, topic, job_key, job_name, payload, headers)
        SELECT fresh.job_id, stage_job.topic, stage_job.job_key, stage_job.job_name,
               convert_to(stage_job.payload::text, 'UTF8'), stage_job.headers
        FROM fresh)
    SELECT fresh.job_id FROM fresh
    $$;

COMMENT ON FUNCTION stage_job(text, text, jsonb, text, jsonb) IS
    'Staged Jobs: stages a JSON job in the current transaction and returns its id.';

-- One row a lane: who moves it, and which ownership that is. The enqueuer locks the row for each batch.
CREATE TABLE staged_job_lanes (
    lane       smallint    NOT NULL CONSTRAINT staged_job_lanes_pkey PRIMARY KEY,
    generation bigint      NOT NULL DEFAULT 0,
    owner      uuid        NULL,
    taken_at   timestamptz NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0.0);

INSERT INTO staged_job_lanes (lane) SELECT generate_series(0, 7);

COMMENT ON TABLE staged_job_lanes IS 'Staged Jobs: the lanes and the enqueuers that own them.';

-- One row a running enqueuer, renewed while it lives; times are the database's.
CREATE TABLE staged_job_enqueuers (
    enqueuer   uuid        NOT NULL CONSTRAINT staged_job_enqueuers_pkey PRIMARY KEY,
    name       text        NOT NULL,
    delivery   text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0.0);

COMMENT ON TABLE staged_job_enqueuers IS 'Staged Jobs: the enqueuers that are running.';

-- Which migrations were applied, by whatever tool.
CREATE TABLE staged_jobs_schema (
    version    integer     NOT NULL CONSTRAINT staged_jobs_schema_pkey PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE staged_jobs_schema IS 'Staged Jobs: applied migrations.';

INSERT INTO staged_jobs_schema (version) VALUES (1);
