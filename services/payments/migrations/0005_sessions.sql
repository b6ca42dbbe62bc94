-- squawk-ignore-file adding-foreign-key-constraint, adding-not-nullable-field, adding-serial-primary-key-field, ban-drop-column, ban-drop-constraint, ban-drop-view, constraint-missing-not-valid, require-concurrent-index-creation, require-concurrent-index-deletion
-- The money of a purchase is that of its sessions: each has its part of the price, its clearing
-- account, its earnings and refunds. Nothing was released before this migration, so the columns that
-- moved go at once (docs/decisions/0022).

CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    place bigint NOT NULL,
    price_minor bigint NOT NULL,
    decision text NOT NULL,
    objected_at timestamptz,
    CONSTRAINT sessions_order FOREIGN KEY (order_id) REFERENCES orders (order_id),
    CONSTRAINT sessions_place UNIQUE (order_id, place),
    CONSTRAINT sessions_price CHECK (price_minor >= 0),
    CONSTRAINT sessions_decision_known CHECK (
        decision IN ('held', 'confirmed', 'expired', 'lost', 'cancelled', 'completed', 'no_show')
    )
);
COMMENT ON TABLE sessions IS
    'The parts of a purchase: what of the price is for which session, and what booking decided; nothing is released while objected_at is set.';
INSERT INTO sessions (session_id, order_id, place, price_minor, decision)
SELECT o.session_id, o.order_id, 1, o.price_minor, o.decision FROM orders AS o;

DROP VIEW clearing_leftovers;
DROP VIEW orders_at_rest;
DROP VIEW paid_without_outcome;
DROP VIEW saga_waits;
DROP VIEW saga_steps;

ALTER TABLE earnings ADD COLUMN session_id uuid;
UPDATE earnings AS e SET session_id = o.session_id FROM orders AS o WHERE o.order_id = e.order_id;
ALTER TABLE earnings
    DROP CONSTRAINT earnings_pkey,
    ADD CONSTRAINT earnings_pkey PRIMARY KEY (session_id),
    ADD CONSTRAINT earnings_session FOREIGN KEY (session_id) REFERENCES sessions (session_id);
DROP INDEX earnings_mentor;
CREATE INDEX earnings_mentor ON earnings (mentor_id, session_id);
CREATE INDEX earnings_order ON earnings (order_id);
COMMENT ON TABLE earnings IS
    'What stays of a paid session and how it is split; due_at is empty until booking says how it ended, and while it is objected to.';

ALTER TABLE refunds ADD COLUMN session_id uuid;
UPDATE refunds AS r SET session_id = o.session_id FROM orders AS o WHERE o.order_id = r.order_id;
ALTER TABLE refunds
    ALTER COLUMN session_id SET NOT NULL,
    DROP CONSTRAINT refunds_once_per_order,
    ADD CONSTRAINT refunds_session FOREIGN KEY (session_id) REFERENCES sessions (session_id);
CREATE INDEX refunds_session ON refunds (session_id);
CREATE INDEX refunds_order ON refunds (order_id);

ALTER TABLE ledger_lines ADD COLUMN session_id uuid;
COMMENT ON COLUMN ledger_lines.session_id IS
    'The session whose money it is; empty where it is the whole purchase''s, and in lines from before sessions had parts, which are of the only session of their purchase.';

ALTER TABLE orders DROP COLUMN session_id, DROP COLUMN decision;
COMMENT ON TABLE orders IS 'One purchase: frozen amounts and its payment page.';

CREATE VIEW session_lines AS
SELECT
    s.session_id, s.order_id, l.entry_id, l.account, l.amount_minor, l.currency
FROM ledger_lines AS l
INNER JOIN sessions AS s
    ON s.order_id = l.order_id AND s.session_id = COALESCE(l.session_id, s.session_id)
WHERE
    l.account IN (
        'session_clearing', 'refunds_in_transit', 'mentor_payable', 'platform_revenue',
        'refund_failed'
    );
COMMENT ON VIEW session_lines IS
    'The lines of the accounts that are kept per session, old lines under the only session of their purchase.';

CREATE VIEW sessions_at_rest AS
SELECT s.session_id, s.order_id
FROM sessions AS s
INNER JOIN orders AS o ON o.order_id = s.order_id
LEFT JOIN earnings AS e ON e.session_id = s.session_id
WHERE
    o.state = 'closed'
    OR (
        o.state = 'paid'
        AND s.decision IN ('lost', 'cancelled', 'completed', 'no_show')
        AND NOT EXISTS (
            SELECT FROM refunds AS r
            WHERE r.session_id = s.session_id AND r.state IN ('planned', 'issued')
        )
        AND (e.session_id IS NULL OR e.retained_minor = 0 OR e.released_at IS NOT NULL)
    );
COMMENT ON VIEW sessions_at_rest IS 'Sessions whose money has found its final place.';

CREATE VIEW clearing_leftovers AS
SELECT
    l.order_id, l.session_id, l.account, l.currency, sum(l.amount_minor)::bigint AS amount_minor
FROM session_lines AS l
INNER JOIN sessions_at_rest AS s ON s.session_id = l.session_id
WHERE l.account IN ('session_clearing', 'refunds_in_transit')
GROUP BY l.order_id, l.session_id, l.account, l.currency
HAVING sum(l.amount_minor) <> 0;
COMMENT ON VIEW clearing_leftovers IS
    'Clearing accounts of sessions that are not zero in a final state; always empty.';

CREATE VIEW paid_without_outcome AS
SELECT o.order_id, o.paid_at
FROM orders AS o
WHERE
    o.state = 'paid'
    AND EXISTS (
        SELECT FROM sessions AS s
        WHERE s.order_id = o.order_id AND s.decision IN ('held', 'expired')
    );
COMMENT ON VIEW paid_without_outcome IS
    'Paid orders of which booking has said neither confirmed nor lost; empty but for those in flight.';

CREATE OR REPLACE VIEW due AS
SELECT 'close_checkout'::text AS kind, order_id::text AS subject, close_at AS due_at
FROM orders
WHERE state = 'open'
UNION ALL
SELECT 'look_at_checkout', order_id::text, look_at
FROM orders
WHERE look_at IS NOT NULL
UNION ALL
SELECT 'release_earnings', session_id::text, due_at
FROM earnings
WHERE released_at IS NULL AND due_at IS NOT NULL;

CREATE OR REPLACE VIEW in_flight AS
SELECT kind, subject, since FROM kit_in_flight
UNION ALL
SELECT 'operation:' || kind, subject, recorded_at
FROM operations
WHERE state IN ('planned', 'sent') AND COALESCE(outcome ->> 'because', '') <> 'balance_insufficient'
UNION ALL
SELECT 'webhook:' || type, event_id, received_at FROM webhooks WHERE state = 'waiting'
UNION ALL
SELECT 'transfer', e.session_id::text, e.released_at
FROM earnings AS e INNER JOIN accounts AS a ON a.mentor_id = e.mentor_id
WHERE e.released_at IS NOT NULL AND e.transfer_state = 'waiting' AND a.can_receive;

CREATE OR REPLACE VIEW order_subjects AS
SELECT order_id, order_id::text AS subject FROM orders
UNION ALL
SELECT order_id, session_id::text FROM sessions
UNION ALL
SELECT order_id, refund_id::text FROM refunds
UNION ALL
SELECT DISTINCT order_id, payout_id FROM earnings WHERE payout_id IS NOT NULL;

CREATE VIEW saga_steps AS
SELECT order_id, at, kind, what, state, details FROM kit_saga_steps
UNION ALL
SELECT
    s.order_id,
    COALESCE(c.first_sent_at, c.planned_at),
    'stripe call'::text,
    c.kind,
    c.state,
    jsonb_strip_nulls(jsonb_build_object(
        'operation_id', c.operation_id,
        'attempts', c.attempts,
        'planned_at', c.planned_at,
        'ended_at', c.ended_at,
        'error', COALESCE(c.outcome ->> 'because', c.outcome ->> 'code')
    ))
FROM order_subjects AS s INNER JOIN operations AS c ON s.subject = c.subject
UNION ALL
SELECT
    s.order_id, w.created_at, 'webhook', w.type, w.state,
    jsonb_build_object('event_id', w.event_id, 'attempts', w.attempts)
FROM order_subjects AS s INNER JOIN webhooks AS w ON s.subject = w.subject
UNION ALL
SELECT
    l.order_id, e.happened_at, 'ledger', e.kind, l.account,
    jsonb_strip_nulls(jsonb_build_object(
        'amount_minor', l.amount_minor, 'currency', l.currency, 'session_id', l.session_id
    ))
FROM ledger_lines AS l INNER JOIN ledger_entries AS e ON l.entry_id = e.entry_id
WHERE l.order_id IS NOT NULL
UNION ALL
SELECT
    e.order_id, p.created_at, 'payout', 'created', p.state,
    jsonb_build_object(
        'payout_id', p.stripe_payout_id, 'arrives_at', p.arrives_at, 'session_id', e.session_id
    )
FROM earnings AS e INNER JOIN payouts AS p ON e.payout_id = p.stripe_payout_id
UNION ALL
SELECT
    e.order_id, p.ended_at, 'payout', p.state, p.state,
    jsonb_strip_nulls(jsonb_build_object(
        'payout_id', p.stripe_payout_id, 'error', p.failure_code, 'session_id', e.session_id
    ))
FROM earnings AS e INNER JOIN payouts AS p ON e.payout_id = p.stripe_payout_id
WHERE p.ended_at IS NOT NULL;
COMMENT ON VIEW saga_steps IS 'What happened to a purchase here; at is business time.';

CREATE VIEW saga_waits AS
SELECT
    order_id,
    'the mentee pays'::text AS waits_for,
    opened_at AS since,
    close_at AS due_at,
    'business'::text AS clock,
    false AS needs_operator,
    '{}'::jsonb AS details
FROM orders
WHERE state = 'open'
UNION ALL
SELECT
    s.order_id,
    CASE c.state
        WHEN 'undetermined' THEN 'an operator finds out what became of ' || c.kind
        ELSE 'Stripe answers ' || c.kind
    END,
    c.recorded_at,
    c.recorded_at,
    'system',
    c.state = 'undetermined',
    jsonb_strip_nulls(jsonb_build_object(
        'operation_id', c.operation_id,
        'attempts', c.attempts,
        'next_try_at', c.next_try_at,
        'error', c.outcome ->> 'because'
    ))
FROM order_subjects AS s INNER JOIN operations AS c ON s.subject = c.subject
WHERE c.state IN ('planned', 'sent', 'undetermined')
UNION ALL
SELECT
    s.order_id, 'the worker obeys ' || w.type, w.received_at, w.received_at, 'system', false,
    jsonb_build_object('event_id', w.event_id, 'attempts', w.attempts, 'next_try_at', w.next_try_at)
FROM order_subjects AS s INNER JOIN webhooks AS w ON s.subject = w.subject
WHERE w.state = 'waiting'
UNION ALL
SELECT
    order_id, 'booking says what becomes of the payment', paid_at, paid_at, 'business', false,
    '{}'::jsonb
FROM paid_without_outcome
UNION ALL
SELECT
    order_id, 'booking says how the objection was settled', objected_at, NULL, 'business', false,
    jsonb_build_object('session_id', session_id)
FROM sessions
WHERE objected_at IS NOT NULL
UNION ALL
SELECT
    order_id, 'the delay of the release is over', NULL, due_at, 'business', false,
    jsonb_build_object('session_id', session_id)
FROM earnings
WHERE released_at IS NULL AND due_at IS NOT NULL
UNION ALL
SELECT
    e.order_id,
    CASE
        WHEN e.transfer_state = 'refused' THEN 'an operator, or the mentor''s account, lifts a refusal'
        WHEN a.can_receive THEN 'the worker asks for the transfer'
        ELSE 'the mentor''s account can receive'
    END,
    e.released_at,
    e.released_at,
    'business',
    e.transfer_state = 'refused',
    jsonb_strip_nulls(jsonb_build_object(
        'session_id', e.session_id,
        'error', CASE e.transfer_state WHEN 'refused' THEN e.transfer_refusal END
    ))
FROM earnings AS e LEFT JOIN accounts AS a ON e.mentor_id = a.mentor_id
WHERE e.released_at IS NOT NULL AND e.transfer_state IN ('waiting', 'refused')
UNION ALL
SELECT
    order_id, 'Stripe takes the refund from the balance', issued_at,
    issued_at + interval '1 day', 'business', false,
    jsonb_build_object('stripe_refund_id', stripe_refund_id, 'session_id', session_id)
FROM refunds
WHERE state = 'issued'
UNION ALL
SELECT
    order_id, 'an operator finds another way for the refund', failed_at, failed_at, 'business', true,
    jsonb_strip_nulls(jsonb_build_object(
        'session_id', session_id, 'attempts', attempt, 'error', failure_code
    ))
FROM refunds
WHERE state = 'failed'
UNION ALL
SELECT
    order_id, 'Stripe pays out to the bank', transferred_at, NULL, 'business', false,
    jsonb_build_object('session_id', session_id)
FROM earnings
WHERE transfer_state = 'sent' AND payout_id IS NULL
UNION ALL
SELECT
    e.order_id,
    CASE p.state
        WHEN 'failed' THEN 'the mentor corrects the bank details'
        ELSE 'the bank takes the payout'
    END,
    COALESCE(p.ended_at, p.created_at),
    COALESCE(p.ended_at, p.arrives_at + interval '1 day'),
    'business',
    false,
    jsonb_strip_nulls(jsonb_build_object(
        'session_id', e.session_id, 'payout_id', p.stripe_payout_id, 'error', p.failure_code
    ))
FROM earnings AS e INNER JOIN payouts AS p ON e.payout_id = p.stripe_payout_id
WHERE p.state <> 'paid';
COMMENT ON VIEW saga_waits IS
    'What a purchase waits for here, since when, and when at the latest it should have come; since and due_at are of the clock that clock names.';
