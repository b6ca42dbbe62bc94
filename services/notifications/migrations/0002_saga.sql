-- What notifications knows of a purchase, step by step, and what it waits for. No names, no addresses.

CREATE VIEW saga_steps AS
    SELECT order_id, at, kind, what, state, details FROM kit_saga_steps
    UNION ALL
    SELECT
        m.order_id,
        COALESCE(m.acted_at, m.planned_at),
        m.channel,
        m.kind,
        m.state,
        jsonb_strip_nulls(jsonb_build_object(
            'to', CASE m.person_id WHEN s.mentor_id THEN 'mentor' ELSE 'mentee' END,
            'planned_at', m.planned_at,
            'attempts', NULLIF(m.attempts, 0),
            'reason', m.reason
        ))
    FROM messages AS m INNER JOIN sessions AS s ON m.order_id = s.order_id;
COMMENT ON VIEW saga_steps IS 'What happened to a purchase here; at is business time.';

CREATE VIEW saga_waits AS
    SELECT
        m.order_id,
        CASE
            WHEN m.state = 'sending' OR m.attempts > 0 THEN 'the mail server takes ' || m.kind
            WHEN m.channel = 'mail'
                AND NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.person_id = m.person_id)
                THEN 'the contact of the reader of ' || m.kind || ' arrives'
            ELSE 'the time of ' || m.kind || ' comes'
        END AS waits_for,
        NULL::timestamptz AS since,
        m.planned_at AS due_at,
        'business'::text AS clock,
        false AS needs_operator,
        jsonb_strip_nulls(jsonb_build_object(
            'channel', m.channel, 'attempts', NULLIF(m.attempts, 0), 'reason', m.reason
        )) AS details
    FROM messages AS m
    WHERE m.order_id IS NOT NULL AND m.state IN ('planned', 'sending');
COMMENT ON VIEW saga_waits IS
    'What a purchase waits for here, since when, and when at the latest it should have come.';
