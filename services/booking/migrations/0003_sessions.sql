-- squawk-ignore-file adding-foreign-key-constraint, ban-drop-column, ban-drop-constraint, ban-drop-view, constraint-missing-not-valid, require-concurrent-index-creation, require-concurrent-index-deletion
-- A purchase has sessions of its own: one, or those of a series. Nothing was released before this
-- migration, so the columns that moved go at once (docs/decisions/0019).

CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    price_minor bigint NOT NULL,
    state text NOT NULL,
    completes_at timestamptz NOT NULL,
    calendar_sequence bigint NOT NULL DEFAULT 0,
    mentee_moves bigint NOT NULL DEFAULT 0,
    mentor_moves bigint NOT NULL DEFAULT 0,
    refund_closed boolean NOT NULL DEFAULT false,
    cancelled_by text,
    cancel_reason text,
    refund_basis_points bigint,
    completed_by text,
    completed_at timestamptz,
    missed_by text,
    objection jsonb,
    released_at timestamptz,
    CONSTRAINT sessions_order FOREIGN KEY (order_id) REFERENCES orders (order_id),
    CONSTRAINT sessions_times CHECK (ends_at > starts_at),
    CONSTRAINT sessions_price CHECK (price_minor >= 0),
    CONSTRAINT sessions_state CHECK (
        state IN (
            'requested', 'offered', 'held', 'confirmed', 'completed', 'no_show', 'declined',
            'lapsed', 'expired', 'cancelled', 'lost'
        )
    ),
    CONSTRAINT sessions_cancelled CHECK (cancelled_by IS NOT NULL OR state <> 'cancelled'),
    CONSTRAINT sessions_completed CHECK ((state = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT sessions_missed CHECK ((state = 'no_show') = (missed_by IS NOT NULL)),
    CONSTRAINT sessions_refund CHECK (
        refund_basis_points IS NULL
        OR (
            refund_basis_points BETWEEN 0 AND 10000
            AND state IN ('cancelled', 'no_show', 'completed')
        )
    )
);
COMMENT ON TABLE sessions IS 'The meetings of a purchase, each with its part of the price and a life of its own once it is paid.';
INSERT INTO sessions (
    session_id, order_id, starts_at, ends_at, price_minor, state, completes_at, calendar_sequence,
    cancelled_by, cancel_reason, refund_basis_points, completed_by, completed_at
)
SELECT
    o.session_id, o.order_id, o.starts_at, o.ends_at, o.price_minor, o.state, o.completes_at,
    o.calendar_sequence, o.cancelled_by, o.cancel_reason, o.refund_basis_points, o.completed_by,
    o.completed_at
FROM orders AS o;
CREATE INDEX sessions_order_id ON sessions (order_id, starts_at);
CREATE INDEX sessions_to_complete ON sessions (completes_at) WHERE state = 'confirmed';

DROP VIEW due;
DROP VIEW saga_steps;
DROP VIEW saga_waits;
ALTER TABLE participations DROP CONSTRAINT participations_session;
ALTER TABLE attendance DROP CONSTRAINT attendance_session;
ALTER TABLE participations ADD CONSTRAINT participations_session
    FOREIGN KEY (session_id) REFERENCES sessions (session_id);
ALTER TABLE attendance ADD CONSTRAINT attendance_session
    FOREIGN KEY (session_id) REFERENCES sessions (session_id);

ALTER TABLE orders
    DROP COLUMN session_id,
    DROP COLUMN starts_at,
    DROP COLUMN ends_at,
    DROP COLUMN completes_at,
    DROP COLUMN calendar_sequence,
    DROP COLUMN cancelled_by,
    DROP COLUMN cancel_reason,
    DROP COLUMN refund_basis_points,
    DROP COLUMN completed_by,
    DROP COLUMN completed_at,
    DROP CONSTRAINT orders_state,
    DROP CONSTRAINT orders_confirmed,
    ADD COLUMN offering_revision bigint NOT NULL DEFAULT 1,
    ADD COLUMN minimum_notice_minutes bigint NOT NULL DEFAULT 0,
    ADD COLUMN answers jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN given_up boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT orders_held_in_order CHECK (expires_at >= hold_until),
    ADD CONSTRAINT orders_state CHECK (
        state IN (
            'requested', 'offered', 'held', 'confirmed', 'completed', 'no_show', 'declined',
            'lapsed', 'expired', 'cancelled', 'lost'
        )
    ),
    ADD CONSTRAINT orders_confirmed CHECK (
        confirmed_at IS NOT NULL OR state NOT IN ('confirmed', 'completed', 'no_show')
    );
COMMENT ON TABLE orders IS 'One purchase; price, policy and deadlines are frozen when it is made, and state sums up its sessions.';
DROP INDEX orders_to_expire;
CREATE INDEX orders_to_expire ON orders (expires_at) WHERE state IN ('requested', 'offered', 'held');

ALTER TABLE offerings
    ADD COLUMN by_request boolean NOT NULL DEFAULT false,
    ADD COLUMN daily_cap bigint,
    ADD COLUMN weekly_cap bigint,
    ADD COLUMN questions jsonb NOT NULL DEFAULT '[]',
    DROP CONSTRAINT offerings_price,
    ADD CONSTRAINT offerings_price CHECK (price_minor >= 0),
    ADD CONSTRAINT offerings_caps CHECK (daily_cap > 0 AND weekly_cap > 0);

CREATE VIEW due AS
SELECT
    CASE o.state
        WHEN 'held' THEN 'hold_expiry' WHEN 'requested' THEN 'request_lapse' ELSE 'offer_lapse'
    END AS kind,
    o.order_id::text AS subject,
    o.expires_at AS due_at
FROM orders AS o
WHERE o.state IN ('requested', 'offered', 'held')
UNION ALL
SELECT
    'completion',
    s.session_id::text,
    s.completes_at
FROM sessions AS s
WHERE s.state = 'confirmed';
COMMENT ON VIEW due IS 'What this service will do by itself, and at which business instant.';

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
FROM orders AS o
INNER JOIN sessions AS s ON o.order_id = s.order_id
INNER JOIN attendance AS a ON s.session_id = a.session_id;
COMMENT ON VIEW saga_steps IS 'What happened to a purchase here; at is business time.';

CREATE VIEW saga_waits AS
SELECT
    o.order_id,
    CASE o.state
        WHEN 'held' THEN 'the mentee pays'
        WHEN 'requested' THEN 'the mentor answers the request'
        ELSE 'the mentee answers the offered slot'
    END AS waits_for,
    told.happened_at AS since,
    o.expires_at AS due_at,
    'business'::text AS clock,
    false AS needs_operator,
    jsonb_build_object('hold_until', o.hold_until) AS details
FROM orders AS o
LEFT JOIN LATERAL (
    SELECT max(f.happened_at) AS happened_at FROM order_facts AS f WHERE f.order_id = o.order_id
) AS told ON true
WHERE o.state IN ('requested', 'offered', 'held')
UNION ALL
SELECT
    o.order_id,
    'the session ends and is completed',
    o.confirmed_at,
    s.completes_at,
    'business',
    false,
    jsonb_build_object('session_id', s.session_id, 'ends_at', s.ends_at)
FROM orders AS o
INNER JOIN sessions AS s ON o.order_id = s.order_id
WHERE s.state = 'confirmed'
UNION ALL
SELECT
    s.order_id,
    'an operator decides on the objection',
    (s.objection ->> 'raised_at')::timestamptz,
    NULL,
    'business',
    true,
    jsonb_build_object('session_id', s.session_id, 'by', s.objection ->> 'by')
FROM sessions AS s
WHERE s.objection IS NOT NULL AND s.objection ->> 'settled_at' IS NULL;
COMMENT ON VIEW saga_waits IS
    'What a purchase waits for here, since when, and when at the latest it should have come.';
