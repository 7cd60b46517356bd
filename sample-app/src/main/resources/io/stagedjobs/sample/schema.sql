-- The sample's own tables. Run at every start: whatever exists already is left as it is.

CREATE TABLE IF NOT EXISTS users (
    id         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      text        NOT NULL UNIQUE,
    name       text        NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What was done to each user. The id of an action travels in the payload of the job that was staged with it, so that
-- an audit can pair rows and records. Whoever changes a user locks its row first: the ids of one user's actions are
-- in the order of their commits.
CREATE TABLE IF NOT EXISTS user_actions (
    id      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint      NOT NULL REFERENCES users (id),
    action  text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
