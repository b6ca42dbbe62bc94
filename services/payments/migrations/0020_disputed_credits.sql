-- squawk-ignore-file require-concurrent-index-creation
-- A bank that disputes a purchase of credits stops the sessions that were booked with them, as it
-- does those of a purchase of sessions (docs/decisions/0026).

CREATE INDEX reversals_session ON reversals (session_id);

CREATE VIEW contested_credits AS
SELECT s.session_id, s.order_id, d.dispute_id, d.opened_at
FROM disputes AS d
INNER JOIN lots AS l ON l.purchase_id = d.order_id
INNER JOIN sessions AS s ON s.lot_id = l.lot_id
WHERE d.state IN ('needs_response', 'under_review');
COMMENT ON VIEW contested_credits IS
    'Sessions whose credits a bank disputes: nothing is released or transferred while it does.';

CREATE OR REPLACE VIEW due_purchases AS
SELECT 'close_checkout'::text AS kind, order_id::text AS subject, close_at AS due_at
FROM orders
WHERE state = 'open'
UNION ALL
SELECT 'look_at_checkout', order_id::text, look_at
FROM orders
WHERE look_at IS NOT NULL
UNION ALL
SELECT 'release_earnings', e.session_id::text, e.due_at
FROM earnings AS e INNER JOIN sessions AS s ON e.session_id = s.session_id
WHERE
    e.released_at IS NULL AND e.due_at IS NOT NULL AND e.retained_minor > 0
    AND s.objected_at IS NULL AND s.disputed_at IS NULL
    AND NOT EXISTS (SELECT FROM contested_credits AS c WHERE c.session_id = s.session_id);

CREATE OR REPLACE VIEW in_flight_transfers AS
SELECT 'transfer'::text AS kind, e.session_id::text AS subject, e.released_at AS since
FROM earnings AS e
INNER JOIN accounts AS a ON a.mentor_id = e.mentor_id
INNER JOIN sessions AS s ON s.session_id = e.session_id
WHERE
    e.released_at IS NOT NULL AND e.transfer_state = 'waiting' AND a.can_receive
    AND s.disputed_at IS NULL
    AND NOT EXISTS (SELECT FROM contested_credits AS c WHERE c.session_id = s.session_id);

CREATE OR REPLACE VIEW saga_waits_purchases AS
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
    e.order_id, 'the delay of the release is over', NULL, e.due_at, 'business', false,
    jsonb_build_object('session_id', e.session_id)
FROM earnings AS e INNER JOIN sessions AS s ON e.session_id = s.session_id
WHERE
    e.released_at IS NULL AND e.due_at IS NOT NULL AND e.retained_minor > 0
    AND s.objected_at IS NULL AND s.disputed_at IS NULL
    AND NOT EXISTS (SELECT FROM contested_credits AS c WHERE c.session_id = s.session_id)
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
WHERE state = 'failed';

CREATE OR REPLACE VIEW saga_waits_transfers AS
SELECT
    e.order_id,
    CASE
        WHEN e.transfer_state = 'refused' THEN 'an operator, or the mentor''s account, lifts a refusal'
        WHEN a.can_receive THEN 'the worker asks for the transfer'
        ELSE 'the mentor''s account can receive'
    END AS waits_for,
    e.released_at AS since,
    e.released_at AS due_at,
    'business'::text AS clock,
    e.transfer_state = 'refused' AS needs_operator,
    jsonb_strip_nulls(jsonb_build_object(
        'session_id', e.session_id,
        'error', (
            SELECT t.refusal FROM transfers AS t
            WHERE t.session_id = e.session_id AND t.state = 'refused'
            ORDER BY t.number DESC LIMIT 1
        )
    )) AS details
FROM earnings AS e
INNER JOIN sessions AS s ON s.session_id = e.session_id
LEFT JOIN accounts AS a ON e.mentor_id = a.mentor_id
WHERE
    e.released_at IS NOT NULL AND e.transfer_state IN ('waiting', 'refused')
    AND s.disputed_at IS NULL
    AND NOT EXISTS (SELECT FROM contested_credits AS c WHERE c.session_id = s.session_id)
UNION ALL
SELECT
    t.order_id, 'Stripe pays out to the bank', t.sent_at, NULL, 'business', false,
    jsonb_build_object('session_id', t.session_id)
FROM transfers AS t
WHERE t.state = 'sent' AND t.payout_id IS NULL AND t.reversed_minor < t.amount_minor
UNION ALL
SELECT
    t.order_id,
    CASE p.state
        WHEN 'failed' THEN 'the mentor corrects the bank details'
        ELSE 'the bank takes the payout'
    END,
    COALESCE(p.ended_at, p.created_at),
    COALESCE(p.ended_at, p.arrives_at + interval '1 day'),
    'business',
    false,
    jsonb_strip_nulls(jsonb_build_object(
        'session_id', t.session_id, 'payout_id', p.stripe_payout_id, 'error', p.failure_code
    ))
FROM transfers AS t INNER JOIN payouts AS p ON t.payout_id = p.stripe_payout_id
WHERE p.state <> 'paid'
UNION ALL
SELECT
    r.order_id, 'later shares, or the account, bring the mentor''s debt down', r.ended_at, NULL,
    'business', false,
    jsonb_strip_nulls(jsonb_build_object(
        'session_id', r.session_id, 'amount_minor', r.amount_minor, 'currency', r.currency,
        'error', r.refusal
    ))
FROM reversals AS r
INNER JOIN debts AS d ON r.mentor_id = d.mentor_id AND r.currency = d.currency
WHERE r.state = 'refused' AND d.owed_minor > 0;

CREATE OR REPLACE VIEW saga_waits_disputes AS
SELECT
    order_id,
    CASE
        WHEN state IN ('needs_response', 'warning_needs_response')
            THEN 'an operator answers or accepts the dispute'
        WHEN state = 'under_review' THEN 'the bank decides the dispute'
        ELSE 'the bank ends its inquiry'
    END AS waits_for,
    opened_at AS since,
    CASE WHEN state IN ('needs_response', 'warning_needs_response') THEN due_by END AS due_at,
    'business'::text AS clock,
    state = 'needs_response' AS needs_operator,
    jsonb_strip_nulls(jsonb_build_object(
        'dispute_id', dispute_id, 'reason', reason, 'error', refusal
    )) AS details
FROM disputes
WHERE closed_at IS NULL
UNION ALL
SELECT
    c.order_id, 'the bank decides the dispute of the credits', c.opened_at, NULL, 'business',
    false, jsonb_build_object('session_id', c.session_id, 'dispute_id', c.dispute_id)
FROM contested_credits AS c INNER JOIN earnings AS e ON c.session_id = e.session_id
WHERE
    (e.released_at IS NULL AND e.retained_minor > 0)
    OR (e.released_at IS NOT NULL AND e.transfer_state IN ('waiting', 'refused'));
