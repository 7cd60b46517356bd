-- Staged Jobs, schema version 3: a table for jobs that cannot be published now, or ever, so that the others flow.

-- Jobs that were moved aside. A job's columns are those of staged_jobs and keep their values, including id and lane: a job
-- that returns takes its old position.
CREATE TABLE parked_jobs (
    lane      smallint    NOT NULL,
    id        bigint      NOT NULL,
    job_id    uuid        NOT NULL,
    topic     text        NOT NULL,
    job_key   text        NULL,
    job_name  text        NOT NULL,
    payload   bytea       NULL,
    headers   jsonb       NULL,
    staged_at timestamptz NOT NULL,
    -- held: returns by itself when its topic exists, may be written to and is not paused. parked: a person decides.
    state     text        NOT NULL,
    reason    text        NOT NULL,
    error     text        NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT parked_jobs_pkey PRIMARY KEY (lane, id),
    CONSTRAINT parked_jobs_state CHECK (state IN ('held', 'parked'))
);

COMMENT ON TABLE parked_jobs IS
    'Staged Jobs: jobs moved aside; held ones return by themselves, parked ones wait for a person.';

-- The next held jobs of a topic, in order.
CREATE INDEX parked_jobs_held ON parked_jobs (lane, topic, id) WHERE state = 'held';

-- Whether a key has a parked job. A key may be longer than an index entry, so the index has its hash.
CREATE INDEX parked_jobs_key ON parked_jobs (lane, topic, hashtextextended(job_key COLLATE "C", 0), id)
    WHERE state = 'parked';

-- Rows come and go in waves here: a topic's jobs are moved aside and return.
ALTER TABLE parked_jobs SET (
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_threshold = 10000,
    toast.autovacuum_vacuum_scale_factor = 0.0,
    toast.autovacuum_vacuum_cost_delay = 0
);

-- The operator's pauses: of a topic, or of everything ('*').
CREATE TABLE staged_job_pauses (
    topic     text        NOT NULL CONSTRAINT staged_job_pauses_pkey PRIMARY KEY,
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT staged_job_pauses_topic CHECK (topic = '*' OR topic ~ '^[A-Za-z0-9._-]{1,249}$')
);

COMMENT ON TABLE staged_job_pauses IS 'Staged Jobs: topics that an operator has paused; * stands for all.';

INSERT INTO staged_jobs_schema (version) VALUES (3);
