-- What the trigger of staged_jobs costs: processor time of the server's process for a row, beside a table that has the same
-- columns and index and neither lane nor rules. Statements of one row and of 5000, in 30 alternated rounds.
--
-- As a superuser, on Linux, in a database of its own after `staged-jobs migrate`:
--     psql -d measured -f benchmarks/staging-in-the-database.sql
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

CREATE TABLE bare (LIKE staged_jobs INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES);
ALTER TABLE bare ALTER COLUMN lane SET DEFAULT 0;
CREATE TEMP TABLE measured (what text, rows_each text, microseconds numeric);

CREATE FUNCTION pg_temp.on_processor() RETURNS numeric LANGUAGE sql AS
    $$ SELECT split_part(pg_read_file('/proc/self/schedstat', 0, 200), ' ', 1)::numeric / 1000 $$;

DO $$
DECLARE
    place record;
    sort text;
BEGIN
    FOR place IN SELECT * FROM (VALUES ('bare', 'bare', 'NULL'), ('trigger', 'staged_jobs', 'NULL'),
        ('trigger, traceparent', 'staged_jobs',
            '''{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}''::jsonb')) AS p (what, into_table, headers)
    LOOP
        FOREACH sort IN ARRAY ARRAY['one', 'many'] LOOP
            EXECUTE format(
                'CREATE FUNCTION pg_temp.%I() RETURNS void LANGUAGE plpgsql AS $f$
                DECLARE p bytea := convert_to(repeat(''x'', 200), ''UTF8''); BEGIN %s END $f$', place.what || sort,
                format(CASE sort WHEN 'one' THEN 'FOR n IN 1..1500 LOOP INSERT INTO %s (topic, job_key, job_name, payload, headers)
                        VALUES (''orders.v1'', ''customer-'' || n, ''order.completed'', p, %s); END LOOP;'
                    ELSE 'INSERT INTO %s (topic, job_key, job_name, payload, headers)
                        SELECT ''orders.v1'', ''customer-'' || n, ''order.completed'', p, %s FROM generate_series(1, 5000) AS n;'
                    END, place.into_table, place.headers));
        END LOOP;
    END LOOP;
END
$$;

DO $$
DECLARE
    began numeric;
    what text;
    sort text;
BEGIN
    FOR round IN 1..31 LOOP
        FOREACH what IN ARRAY ARRAY['bare', 'trigger', 'trigger, traceparent'] LOOP
            FOREACH sort IN ARRAY ARRAY['one', 'many'] LOOP
                began := pg_temp.on_processor();
                EXECUTE format('SELECT pg_temp.%I()', what || sort);
                CONTINUE WHEN round = 1;
                INSERT INTO measured VALUES (what, sort,
                    (pg_temp.on_processor() - began) / CASE sort WHEN 'one' THEN 1500 ELSE 5000 END);
            END LOOP;
        END LOOP;
    END LOOP;
END
$$;

SELECT what, rows_each AS rows, round(min(microseconds), 1) AS least,
       round(percentile_cont(0.25) WITHIN GROUP (ORDER BY microseconds)::numeric, 1) AS lower_quartile,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY microseconds)::numeric, 1) AS median
FROM measured GROUP BY what, rows_each ORDER BY rows_each DESC, what;
DROP TABLE bare;
TRUNCATE staged_jobs;
