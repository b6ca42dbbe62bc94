-- The tables the kit needs in every service's schema.

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    headers jsonb NOT NULL,
    value bytea,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE outbox IS 'Facts committed with their rows and not yet handed to Kafka; recorded_at is system time.';

CREATE TABLE inbox (
    event_id uuid PRIMARY KEY,
    handled_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE inbox IS 'Events that took effect here; claimed in the transaction of the effect.';
CREATE INDEX inbox_handled_at ON inbox (handled_at);

CREATE TABLE kept_events (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    topic text NOT NULL,
    key text NOT NULL,
    headers jsonb NOT NULL,
    value bytea,
    state text NOT NULL CHECK (state IN ('behind', 'deferred', 'parked', 'ready')),
    waits_for text,
    error text,
    attempts integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    kept_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE kept_events IS
    'Events that could not be handled when they came: parked (poison), deferred (a prerequisite is missing), behind (an earlier event of the key is kept) or ready to be tried. All times are system time.';
CREATE INDEX kept_events_key ON kept_events (topic, key, seq);
CREATE INDEX kept_events_waits_for ON kept_events (waits_for) WHERE waits_for IS NOT NULL;

CREATE TABLE idempotency (
    principal text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status integer,
    headers jsonb,
    answer bytea,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, route, key)
);
COMMENT ON TABLE idempotency IS 'Committed answers to requests that carried an Idempotency-Key.';
CREATE INDEX idempotency_recorded_at ON idempotency (recorded_at);

CREATE UNLOGGED TABLE rate_buckets (
    name text PRIMARY KEY,
    tokens double precision NOT NULL,
    filled_at timestamptz NOT NULL
);
COMMENT ON TABLE rate_buckets IS 'Token buckets shared by all replicas; may be lost in a crash.';

CREATE VIEW kit_in_flight AS
    SELECT 'outbox'::text AS kind, event_id::text AS subject, recorded_at AS since FROM outbox
    UNION ALL
    SELECT 'kept_' || k.state, k.event_id::text, k.kept_at
    FROM kept_events AS k
    WHERE NOT EXISTS (
        SELECT 1 FROM kept_events AS p
        WHERE p.topic = k.topic AND p.key = k.key AND p.state = 'parked'
    );
COMMENT ON VIEW kit_in_flight IS 'Work of the kit that is accepted and not finished; dead letters wait for an operator and do not count.';
