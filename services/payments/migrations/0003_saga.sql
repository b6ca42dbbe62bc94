-- A refund that came back can be tried again or paid another way; and what payments knows of a
-- purchase, step by step, and what it waits for.

ALTER TABLE refunds ADD COLUMN attempt bigint NOT NULL DEFAULT 1;
COMMENT ON COLUMN refunds.attempt IS 'How many refunds were asked of Stripe for it; each has its own entries in the ledger.';
-- The constraint only becomes wider.
-- squawk-ignore ban-drop-constraint
ALTER TABLE refunds DROP CONSTRAINT refunds_state_known;
ALTER TABLE refunds ADD CONSTRAINT refunds_state_known
    CHECK (state IN ('planned', 'issued', 'settled', 'failed', 'paid_otherwise')) NOT VALID;
-- Each of these is a moment's work: a migration is one transaction, which cannot build concurrently.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX refunds_failed ON refunds (failed_at) WHERE state = 'failed';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX operations_subject ON operations (subject);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX webhooks_subject ON webhooks (subject) WHERE subject IS NOT NULL;

CREATE OR REPLACE VIEW orders_at_rest AS
    SELECT o.order_id FROM orders AS o
    LEFT JOIN earnings AS e ON e.order_id = o.order_id
    LEFT JOIN refunds AS r ON r.order_id = o.order_id
    WHERE o.state = 'closed'
       OR (o.state = 'paid' AND o.decision IN ('lost', 'cancelled', 'completed')
           AND (r.order_id IS NULL OR r.state IN ('settled', 'failed', 'paid_otherwise'))
           AND (e.order_id IS NULL OR e.retained_minor = 0 OR e.released_at IS NOT NULL));

CREATE VIEW order_subjects AS
    SELECT order_id, order_id::text AS subject FROM orders
    UNION ALL
    SELECT order_id, refund_id::text FROM refunds
    UNION ALL
    SELECT order_id, payout_id FROM earnings WHERE payout_id IS NOT NULL;
COMMENT ON VIEW order_subjects IS
    'The names under which calls to Stripe and its notices are about a purchase.';

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
        jsonb_build_object('amount_minor', l.amount_minor, 'currency', l.currency)
    FROM ledger_lines AS l INNER JOIN ledger_entries AS e ON l.entry_id = e.entry_id
    WHERE l.order_id IS NOT NULL
    UNION ALL
    SELECT
        e.order_id, p.created_at, 'payout', 'created', p.state,
        jsonb_build_object('payout_id', p.stripe_payout_id, 'arrives_at', p.arrives_at)
    FROM earnings AS e INNER JOIN payouts AS p ON e.payout_id = p.stripe_payout_id
    UNION ALL
    SELECT
        e.order_id, p.ended_at, 'payout', p.state, p.state,
        jsonb_strip_nulls(jsonb_build_object('payout_id', p.stripe_payout_id, 'error', p.failure_code))
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
    FROM orders
    WHERE state = 'paid' AND decision IN ('held', 'expired')
    UNION ALL
    SELECT
        order_id, 'the delay of the release is over', NULL, due_at, 'business', false,
        '{}'::jsonb
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
            'error', CASE e.transfer_state WHEN 'refused' THEN e.transfer_refusal END
        ))
    FROM earnings AS e LEFT JOIN accounts AS a ON e.mentor_id = a.mentor_id
    WHERE e.released_at IS NOT NULL AND e.transfer_state IN ('waiting', 'refused')
    UNION ALL
    SELECT
        order_id, 'Stripe takes the refund from the balance', issued_at,
        issued_at + interval '1 day', 'business', false,
        jsonb_build_object('stripe_refund_id', stripe_refund_id)
    FROM refunds
    WHERE state = 'issued'
    UNION ALL
    SELECT
        order_id, 'an operator finds another way for the refund', failed_at, failed_at, 'business', true,
        jsonb_strip_nulls(jsonb_build_object('attempts', attempt, 'error', failure_code))
    FROM refunds
    WHERE state = 'failed'
    UNION ALL
    SELECT
        order_id, 'Stripe pays out to the bank', transferred_at, NULL, 'business', false,
        '{}'::jsonb
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
        jsonb_strip_nulls(jsonb_build_object('payout_id', p.stripe_payout_id, 'error', p.failure_code))
    FROM earnings AS e INNER JOIN payouts AS p ON e.payout_id = p.stripe_payout_id
    WHERE p.state <> 'paid';
COMMENT ON VIEW saga_waits IS
    'What a purchase waits for here, since when, and when at the latest it should have come; since and due_at are of the clock that clock names.';
