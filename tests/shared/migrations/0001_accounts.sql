-- A tiny ledger of counters: enough to see whether effects happen once and in order.
CREATE TABLE counters (
    key text PRIMARY KEY,
    version bigint NOT NULL,
    total bigint NOT NULL,
    seen bigint[] NOT NULL DEFAULT '{}'
);
