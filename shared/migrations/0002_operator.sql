-- What operators ask of a service, and what they did with its dead letters.

CREATE TABLE dead_letter_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    type text,
    action text NOT NULL CHECK (action IN ('replayed', 'discarded')),
    reason text NOT NULL,
    error text,
    acted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dead_letter_log IS
    'Every replay and discard of a dead letter with its reason; never what the event said. acted_at is system time.';

CREATE TABLE republish_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    cursor text,
    announced bigint NOT NULL DEFAULT 0,
    requested_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz
);
COMMENT ON TABLE republish_requests IS
    'Asks the service to tell the present state of everything on a topic again; cursor is how far it came. All times are system time.';
CREATE UNIQUE INDEX republish_requests_open ON republish_requests (topic) WHERE done_at IS NULL;

CREATE OR REPLACE VIEW kit_in_flight AS
    SELECT 'outbox'::text AS kind, event_id::text AS subject, recorded_at AS since FROM outbox
    UNION ALL
    SELECT 'kept_' || k.state, k.event_id::text, k.kept_at
    FROM kept_events AS k
    WHERE NOT EXISTS (
        SELECT 1 FROM kept_events AS p
        WHERE p.topic = k.topic AND p.key = k.key AND p.state = 'parked'
    )
    UNION ALL
    SELECT 'republish', topic, requested_at FROM republish_requests WHERE done_at IS NULL;
