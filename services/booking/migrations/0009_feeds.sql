-- A private address of one's calendar, for calendar programs that ask for it every hour.

CREATE TABLE calendar_feeds (
    person_id uuid PRIMARY KEY,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    last_read_at timestamptz,
    CONSTRAINT calendar_feeds_token UNIQUE (token_hash)
);
COMMENT ON TABLE calendar_feeds IS 'Who has a private calendar feed; whoever has the token reads it, and only its SHA-256 is kept.';
