-- What booking knows of a purchase, step by step, and what it waits for.

CREATE VIEW saga_steps AS
    SELECT order_id, at, kind, what, state, details FROM kit_saga_steps
    UNION ALL
    SELECT
        o.order_id,
        a.joined_at,
        'attendance'::text,
        CASE a.person_id WHEN o.mentor_id THEN 'mentor joined' ELSE 'mentee joined' END,
        CASE WHEN a.left_at IS NULL THEN 'present' ELSE 'left' END,
        jsonb_strip_nulls(jsonb_build_object('left_at', a.left_at))
    FROM orders AS o INNER JOIN attendance AS a ON o.session_id = a.session_id;
COMMENT ON VIEW saga_steps IS 'What happened to a purchase here; at is business time.';

CREATE VIEW saga_waits AS
    SELECT
        o.order_id,
        'the mentee pays'::text AS waits_for,
        told.happened_at AS since,
        o.expires_at AS due_at,
        'business'::text AS clock,
        false AS needs_operator,
        jsonb_build_object('hold_until', o.hold_until) AS details
    FROM orders AS o
    LEFT JOIN LATERAL (
        SELECT min(f.happened_at) AS happened_at FROM order_facts AS f WHERE f.order_id = o.order_id
    ) AS told ON true
    WHERE o.state = 'held'
    UNION ALL
    SELECT
        order_id,
        'the session ends and is completed',
        confirmed_at,
        completes_at,
        'business',
        false,
        jsonb_build_object('ends_at', ends_at)
    FROM orders
    WHERE state = 'confirmed';
COMMENT ON VIEW saga_waits IS
    'What a purchase waits for here, since when, and when at the latest it should have come.';
