-- What operators see of one purchase and do about it: facts told, work that waits, and every deed.

CREATE TABLE order_facts (
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    happened_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, event_id)
);
COMMENT ON TABLE order_facts IS
    'What this service told about each purchase, written with the fact itself: the outbox forgets what has left. happened_at is business time.';

CREATE TABLE operator_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    who text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    order_id uuid,
    reason text NOT NULL,
    outcome text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    request_id uuid,
    acted_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE operator_log IS
    'Every deed of an operator, committed with its effect and only ever added to. who is a person''s id or ops:<name>; acted_at is business time, recorded_at system time.';
CREATE INDEX operator_log_order ON operator_log (order_id) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX operator_log_request ON operator_log (request_id) WHERE request_id IS NOT NULL;

-- What is kept of earlier replays and discards joins the one log; the old table goes in a later release.
INSERT INTO operator_log (who, action, subject, reason, outcome, details, acted_at, recorded_at)
SELECT
    'ops',
    CASE action WHEN 'replayed' THEN 'replay' ELSE 'discard' END,
    event_id::text,
    reason,
    'done',
    jsonb_build_object('topic', topic, 'key', key, 'type', type, 'error', error),
    acted_at,
    acted_at
FROM dead_letter_log
ORDER BY id;
COMMENT ON TABLE dead_letter_log IS 'No longer written to: see operator_log.';

-- Nobody rewrites a log: not the runtime role, and by mistake not even the owner.
CREATE FUNCTION refuse_rewriting_a_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a log is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER operator_log_final BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_a_log();
CREATE TRIGGER order_facts_final BEFORE UPDATE OR DELETE OR TRUNCATE ON order_facts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_a_log();
DO $$ BEGIN
    EXECUTE format(
        'REVOKE UPDATE, DELETE, TRUNCATE ON operator_log, order_facts FROM %I',
        current_schema() || '_app'
    );
END $$;

CREATE TABLE operator_requests (
    request_id uuid PRIMARY KEY,
    who text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    order_id uuid,
    reason text NOT NULL,
    arguments jsonb NOT NULL DEFAULT '{}',
    requested_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE operator_requests IS
    'Deeds asked for on the command line; the service''s worker does each, logs it and takes it away. requested_at is system time.';
CREATE INDEX operator_requests_oldest ON operator_requests (requested_at);

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
    SELECT 'republish', topic, requested_at FROM republish_requests WHERE done_at IS NULL
    UNION ALL
    SELECT 'operator:' || action, subject, requested_at FROM operator_requests;

CREATE VIEW kit_saga_steps AS
    SELECT
        order_id,
        happened_at AS at,
        'fact'::text AS kind,
        type AS what,
        'told'::text AS state,
        jsonb_build_object('event_id', event_id) AS details
    FROM order_facts
    UNION ALL
    SELECT
        order_id, acted_at, 'operator', action, outcome,
        jsonb_build_object('who', who, 'reason', reason) || details
    FROM operator_log
    WHERE order_id IS NOT NULL;
COMMENT ON VIEW kit_saga_steps IS
    'What every service knows to have happened to a purchase; its view saga_steps adds what is its own.';

CREATE VIEW kit_saga_waits AS
    SELECT
        topic,
        key,
        'Kafka takes ' || named.type AS waits_for,
        recorded_at AS since,
        recorded_at AS due_at,
        false AS needs_operator,
        jsonb_build_object('event_id', event_id) AS details
    FROM outbox
    CROSS JOIN LATERAL (
        SELECT COALESCE(max(split_part(header ->> 1, '.', 3)), 'a fact') AS type
        FROM jsonb_array_elements(headers) AS header
        WHERE header ->> 0 = 'ce_type'
    ) AS named
    UNION ALL
    SELECT
        k.topic,
        k.key,
        CASE k.state
            WHEN 'parked' THEN 'an operator mends and replays ' || named.type
            WHEN 'deferred' THEN k.waits_for || ' arrives, which ' || named.type || ' needs'
            WHEN 'behind' THEN 'an earlier event than ' || named.type || ' is handled'
            ELSE 'the worker takes up ' || named.type
        END,
        k.kept_at,
        k.kept_at,
        k.state = 'parked',
        jsonb_build_object(
            'event_id', k.event_id, 'attempts', k.attempts, 'error', k.error,
            'next_try_at', k.next_try_at
        )
    FROM kept_events AS k
    CROSS JOIN LATERAL (
        SELECT COALESCE(max(split_part(header ->> 1, '.', 3)), 'an event') AS type
        FROM jsonb_array_elements(k.headers) AS header
        WHERE header ->> 0 = 'ce_type'
    ) AS named;
COMMENT ON VIEW kit_saga_waits IS
    'Facts and events that go no further, by the key they travel under. All times are system time.';
