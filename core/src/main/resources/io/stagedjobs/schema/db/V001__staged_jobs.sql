-- Staged Jobs, schema version 1. Never edited after a release: a change is a new file.
--
-- All objects go into the first schema of the search_path, so that `staged-jobs migrate` (which sets it) and Flyway
-- (default schema) can both apply this file. The functions keep that schema: a caller's search_path cannot redirect
-- them. Function bodies are quoted, because some clients do not split BEGIN ATOMIC … END correctly.

-- Jobs that wait to be published. Applications insert rows, the enqueuer deletes them; only `staged-jobs migrate
-- --lanes` updates them. (lane, id) is the only index: the enqueuer reads one lane in id order. The table has no
-- constraints of its own: PostgreSQL would prepare them anew for every INSERT, and its errors would show the row.
CREATE TABLE staged_jobs (
    -- The lane that moves the job. The trigger below writes it, whatever the INSERT says.
    lane      smallint    NOT NULL,
    -- The position. Always drawn from the sequence, one by one (CACHE 1): if a job is staged after the commit of
    -- another job of its key, it has the higher id.
    id        bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1),
    job_id    uuid        NOT NULL DEFAULT gen_random_uuid(),
    topic     text        NOT NULL,
    job_key   text        NULL,
    job_name  text        NOT NULL,
    payload   bytea       NULL,
    headers   jsonb       NULL,
    staged_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT staged_jobs_pkey PRIMARY KEY (lane, id)
);

COMMENT ON TABLE staged_jobs IS
    'Staged Jobs: insert here inside your business transaction; the enqueuer publishes to Kafka and deletes.';

-- Gives each job its lane, and refuses a job that could never be published, which fails its business transaction. An
-- error names the rule as PostgreSQL names a broken constraint, and shows no data of the row.
--
-- Arguments: the number of lanes, the largest payload in bytes, and the last id that this limit exempts: a job that was
-- staged under a larger limit and moved aside may return. `staged-jobs migrate` changes them.
--
-- The lane: jobs of one (topic, job_key) always share one; jobs without a key are spread by their id. Hash partitioning
-- uses hashtextextended too, so its values are stable across PostgreSQL releases. The collation is named so that they
-- do not depend on the database's own either.
CREATE FUNCTION staged_jobs_before_insert() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    missing text;
    broken text;
    written text;
BEGIN
    IF TG_ARGV[0] = '1' THEN
        NEW.lane := 0;
    ELSE
        NEW.lane := (CASE
            WHEN NEW.job_key IS NULL THEN NEW.id
            ELSE hashtextextended(NEW.job_key COLLATE "C", hashtextextended(NEW.topic COLLATE "C", 0))
        END & 9223372036854775807) % TG_ARGV[0]::bigint;
    END IF;

    -- Nearly every job passes this one expression; its rules are those below. A null does not pass.
    IF length(NEW.topic) BETWEEN 1 AND 249
        AND NEW.topic COLLATE "C" !~ '[^A-Za-z0-9._-]'
        AND NOT starts_with(NEW.topic, 'staged-jobs-progress-')
        AND NEW.topic NOT IN ('.', '..', '__consumer_offsets', '__transaction_state', '__share_group_state',
            '__cluster_metadata')
        AND length(NEW.job_name) BETWEEN 1 AND 255
        AND (NEW.job_key IS NULL OR octet_length(NEW.job_key) <= 4096)
        AND (NEW.payload IS NULL OR octet_length(NEW.payload) <= TG_ARGV[1]::int)
        AND NEW.staged_at BETWEEN '0001-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
        AND NEW.job_id IS NOT NULL
    THEN
        IF NEW.headers IS NULL THEN
            RETURN NEW;
        END IF;
    ELSE
        missing := CASE
            WHEN NEW.topic IS NULL THEN 'topic'
            WHEN NEW.job_name IS NULL THEN 'job_name'
            WHEN NEW.job_id IS NULL THEN 'job_id'
            WHEN NEW.staged_at IS NULL THEN 'staged_at'
        END;
        IF missing IS NOT NULL THEN
            RAISE not_null_violation USING
                MESSAGE = 'null value in column "' || missing
                    || '" of relation "staged_jobs" violates not-null constraint',
                SCHEMA = TG_TABLE_SCHEMA, TABLE = 'staged_jobs', COLUMN = missing;
        END IF;
        broken := CASE
            WHEN length(NEW.topic) NOT BETWEEN 1 AND 249
                OR NEW.topic COLLATE "C" ~ '[^A-Za-z0-9._-]'
                OR NEW.topic IN ('.', '..') THEN 'staged_jobs_topic_name'
            -- The enqueuer may write to its own topic, but nobody may make it do so by staging a job. The same holds
            -- for Kafka's own topics.
            WHEN starts_with(NEW.topic, 'staged-jobs-progress-')
                OR NEW.topic IN ('__consumer_offsets', '__transaction_state', '__share_group_state',
                    '__cluster_metadata') THEN 'staged_jobs_topic_reserved'
            WHEN length(NEW.job_name) NOT BETWEEN 1 AND 255 THEN 'staged_jobs_job_name_size'
            WHEN octet_length(NEW.job_key) > 4096 THEN 'staged_jobs_job_key_size'
            WHEN octet_length(NEW.payload) > TG_ARGV[1]::int AND NEW.id > TG_ARGV[2]::bigint
                THEN 'staged_jobs_payload_size'
            -- A record carries the time in the form of RFC 3339, which cannot express others.
            WHEN NEW.staged_at NOT BETWEEN '0001-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
                THEN 'staged_jobs_staged_at_range'
        END;
    END IF;

    IF broken IS NULL AND NEW.headers IS NOT NULL THEN
        written := NEW.headers::text;
        broken := CASE
            WHEN octet_length(written) > 100000 THEN 'staged_jobs_headers_size'
            WHEN jsonb_typeof(NEW.headers) <> 'object' THEN 'staged_jobs_headers_strings'
            -- Strict, because a lax path looks into arrays.
            WHEN jsonb_path_exists(NEW.headers, 'strict $.* ? (@.type() != "string")')
                THEN 'staged_jobs_headers_strings'
            -- Checked only if some name or value in the text begins like this.
            WHEN strpos(written, '"ce_') > 0
                AND jsonb_path_exists(NEW.headers, 'strict $.keyvalue() ? (@.key starts with "ce_")')
                THEN 'staged_jobs_headers_prefix'
        END;
        -- A separate statement, because a query inside an expression turns the whole expression into a query.
        IF broken IS NULL AND octet_length(written) > 255 THEN
            IF EXISTS (SELECT FROM jsonb_object_keys(NEW.headers) AS header WHERE octet_length(header) > 255) THEN
                broken := 'staged_jobs_header_name_size';
            END IF;
        END IF;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE check_violation USING
            MESSAGE = 'new row for relation "staged_jobs" violates check constraint "' || broken || '"',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = 'staged_jobs', CONSTRAINT = broken;
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION staged_jobs_before_insert() IS
    'Staged Jobs: gives a job its lane and refuses what could never be published.';

CREATE TRIGGER staged_jobs_before_insert BEFORE INSERT ON staged_jobs
    FOR EACH ROW EXECUTE FUNCTION staged_jobs_before_insert(1, 900000, 0);

-- Also for rows from logical replication: this database has its own lanes.
ALTER TABLE staged_jobs ENABLE ALWAYS TRIGGER staged_jobs_before_insert;

-- In a queue table all rows come and go: vacuum early, by number of rows, not by share of the table, and without
-- pauses.
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

-- Stages one JSON job from any language. The function makes the id and does not read it back, so that a role with only
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

-- The same for drivers that send text or json.
CREATE FUNCTION stage_job(topic text, job_name text, payload text, job_key text DEFAULT NULL, headers text DEFAULT NULL)
    RETURNS uuid
    LANGUAGE sql VOLATILE
    SET search_path FROM CURRENT
    AS $$
    SELECT stage_job(stage_job.topic, stage_job.job_name, stage_job.payload::jsonb, stage_job.job_key,
                     stage_job.headers::jsonb)
    $$;

CREATE FUNCTION stage_job(topic text, job_name text, payload json, job_key text DEFAULT NULL, headers json DEFAULT NULL)
    RETURNS uuid
    LANGUAGE sql VOLATILE
    SET search_path FROM CURRENT
    AS $$
    SELECT stage_job(stage_job.topic, stage_job.job_name, stage_job.payload::jsonb, stage_job.job_key,
                     stage_job.headers::jsonb)
    $$;

COMMENT ON FUNCTION stage_job(text, text, jsonb, text, jsonb) IS
    'Staged Jobs: stages a JSON job in the current transaction and returns its id.';
COMMENT ON FUNCTION stage_job(text, text, text, text, text) IS
    'Staged Jobs: stages a JSON job in the current transaction and returns its id.';
COMMENT ON FUNCTION stage_job(text, text, json, text, json) IS
    'Staged Jobs: stages a JSON job in the current transaction and returns its id.';

-- One row per lane: its owner, and the generation of the ownership. The enqueuer locks the row for each batch.
CREATE TABLE staged_job_lanes (
    lane       smallint    NOT NULL CONSTRAINT staged_job_lanes_pkey PRIMARY KEY,
    generation bigint      NOT NULL DEFAULT 0,
    -- The number of the transactional id under which the lane publishes. It only grows.
    channel    integer     NOT NULL DEFAULT 0,
    owner      uuid        NULL,
    taken_at   timestamptz NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0.0);

-- One at first; `staged-jobs migrate --lanes` makes more.
INSERT INTO staged_job_lanes (lane) VALUES (0);

COMMENT ON TABLE staged_job_lanes IS 'Staged Jobs: the lanes and the enqueuers that own them.';

-- One row per running enqueuer, renewed while it lives; times are the database's.
CREATE TABLE staged_job_enqueuers (
    enqueuer   uuid        NOT NULL CONSTRAINT staged_job_enqueuers_pkey PRIMARY KEY,
    name       text        NOT NULL,
    delivery   text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What does not work for it now: [{"place": "lane 3", "reason": "…", "since": "…"}]. The place is the server or the
    -- halted lane. Other processes cannot look into this one's memory.
    problems   jsonb       NOT NULL DEFAULT '[]'
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0.0);

COMMENT ON TABLE staged_job_enqueuers IS 'Staged Jobs: the enqueuers that are running.';

-- The applied migrations, whichever tool applied them.
CREATE TABLE staged_jobs_schema (
    version    integer     NOT NULL CONSTRAINT staged_jobs_schema_pkey PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE staged_jobs_schema IS 'Staged Jobs: applied migrations.';

INSERT INTO staged_jobs_schema (version) VALUES (1);
