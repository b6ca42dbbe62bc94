-- The delay of a release runs on while a session is objected to: earnings keep their due_at, and what
-- is objected to is not due. So a decision that comes early does not cut off the other side's time.

COMMENT ON TABLE earnings IS
    'What stays of a paid session and how it is split; due_at is empty until booking says how it ended, and nothing is due while the session is objected to.';

CREATE OR REPLACE VIEW due AS
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
WHERE e.released_at IS NULL AND e.due_at IS NOT NULL AND s.objected_at IS NULL;

CREATE OR REPLACE VIEW saga_waits AS
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
WHERE e.released_at IS NULL AND e.due_at IS NOT NULL AND s.objected_at IS NULL
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
