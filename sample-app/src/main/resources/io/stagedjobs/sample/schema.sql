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

-- An order is open until somebody buys it; then it has both a buyer and a time, and nothing changes it any more.
CREATE TABLE IF NOT EXISTS orders (
    id           text        NOT NULL PRIMARY KEY,
    amount_cents bigint      NOT NULL CHECK (amount_cents >= 0),
    buyer_id     bigint      NULL REFERENCES users (id),
    completed_at timestamptz NULL,
    CHECK ((buyer_id IS NULL) = (completed_at IS NULL))
);

-- What another service said of its contracts, with the ETags under which it said so: it is asked for news only.
CREATE TABLE IF NOT EXISTS contracts (
    id            text        NOT NULL PRIMARY KEY,
    customer      text        NOT NULL,
    currency      text        NOT NULL,
    header_etag   text        NULL,
    items_etag    text        NULL,
    aggregated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS contract_items (
    contract_id  text    NOT NULL REFERENCES contracts (id),
    position     integer NOT NULL,
    description  text    NOT NULL,
    amount_cents bigint  NOT NULL,
    PRIMARY KEY (contract_id, position)
);
