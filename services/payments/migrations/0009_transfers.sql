-- squawk-ignore-file adding-field-with-default, adding-foreign-key-constraint, adding-not-nullable-field, ban-drop-column, ban-drop-constraint, constraint-missing-not-valid, prefer-robust-stmts, require-concurrent-index-creation
-- A session has as many transfers as its share takes, and a transfer as many reversals; what a mentor
-- got and owes back is a debt. Nothing was released before this migration, so the columns that moved
-- go at once (docs/decisions/0025).

CREATE TABLE transfers (
    transfer_id uuid PRIMARY KEY,
    order_id uuid NOT NULL CONSTRAINT transfers_order REFERENCES orders (order_id),
    session_id uuid NOT NULL CONSTRAINT transfers_session REFERENCES sessions (session_id),
    mentor_id uuid NOT NULL,
    number bigint NOT NULL,
    amount_minor bigint NOT NULL,
    netted_minor bigint NOT NULL DEFAULT 0,
    currency text NOT NULL,
    state text NOT NULL CONSTRAINT transfers_state_known
    CHECK (state IN ('planned', 'sent', 'refused', 'netted')),
    refusal text,
    stripe_transfer_id text CONSTRAINT transfers_stripe_transfer_once UNIQUE,
    planned_at timestamptz NOT NULL,
    sent_at timestamptz,
    attempt bigint NOT NULL DEFAULT 1,
    reverse_minor bigint NOT NULL DEFAULT 0,
    reversed_minor bigint NOT NULL DEFAULT 0,
    payout_id text,
    CONSTRAINT transfers_number_once UNIQUE (session_id, number),
    CONSTRAINT transfers_amounts CHECK (
        amount_minor >= 0 AND netted_minor >= 0 AND reverse_minor >= 0
        AND reversed_minor BETWEEN 0 AND amount_minor
    )
);
COMMENT ON TABLE transfers IS
    'A mentor''s share on its way to the connected account: amount_minor went there, netted_minor was kept for what the mentor owed; reverse_minor is asked back once it is sent.';
CREATE INDEX transfers_order ON transfers (order_id);
CREATE INDEX transfers_mentor ON transfers (mentor_id, state);
CREATE INDEX transfers_payout ON transfers (payout_id) WHERE payout_id IS NOT NULL;

CREATE TABLE reversals (
    reversal_id uuid PRIMARY KEY,
    transfer_id uuid NOT NULL CONSTRAINT reversals_transfer REFERENCES transfers (transfer_id),
    order_id uuid NOT NULL,
    session_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    amount_minor bigint NOT NULL CONSTRAINT reversals_amount_positive CHECK (amount_minor > 0),
    currency text NOT NULL,
    state text NOT NULL CONSTRAINT reversals_state_known
    CHECK (state IN ('planned', 'done', 'refused')),
    refusal text,
    stripe_reversal_id text CONSTRAINT reversals_stripe_reversal_once UNIQUE,
    planned_at timestamptz NOT NULL,
    ended_at timestamptz
);
COMMENT ON TABLE reversals IS
    'What is asked back of transfers; a refused one leaves its amount in the mentor''s debt.';
CREATE INDEX reversals_transfer ON reversals (transfer_id);
CREATE INDEX reversals_order ON reversals (order_id);
CREATE INDEX reversals_mentor ON reversals (mentor_id, currency, state);

CREATE TABLE debts (
    mentor_id uuid NOT NULL,
    currency text NOT NULL,
    owed_minor bigint NOT NULL CONSTRAINT debts_never_negative CHECK (owed_minor >= 0),
    beyond_floor boolean NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (mentor_id, currency)
);
COMMENT ON TABLE debts IS
    'What mentors got and owe back, as the ledger''s mentor_debt says; the row''s lock guards it.';

INSERT INTO transfers (
    transfer_id, order_id, session_id, mentor_id, number, amount_minor, currency, state, refusal,
    stripe_transfer_id, planned_at, sent_at, payout_id
)
SELECT
    CASE
        WHEN (SELECT count(*) FROM sessions AS s WHERE s.order_id = e.order_id) > 1
            THEN e.session_id
        ELSE e.order_id
    END,
    e.order_id, e.session_id, e.mentor_id, 1, e.mentor_minor, e.currency, e.transfer_state,
    e.transfer_refusal, e.stripe_transfer_id, e.released_at, e.transferred_at, e.payout_id
FROM earnings AS e
WHERE e.transfer_state IN ('planned', 'sent', 'refused') AND e.released_at IS NOT NULL;

ALTER TABLE earnings
    ADD COLUMN gone_minor bigint NOT NULL DEFAULT 0
    CONSTRAINT earnings_gone CHECK (gone_minor >= 0),
    ADD COLUMN payable_minor bigint NOT NULL DEFAULT 0
    CONSTRAINT earnings_payable CHECK (payable_minor >= 0);
COMMENT ON COLUMN earnings.gone_minor IS
    'What left the session''s part to the mentee''s side, by refunds and withdrawn disputes; it may exceed the price.';
COMMENT ON COLUMN earnings.payable_minor IS
    'What of the mentor''s share is released, and neither transferred nor about to be.';
UPDATE earnings AS e SET
    gone_minor = s.price_minor - e.retained_minor,
    payable_minor = CASE
        WHEN e.released_at IS NOT NULL AND e.transfer_state IN ('waiting', 'refused')
            THEN e.mentor_minor
        ELSE 0
    END
FROM sessions AS s
WHERE s.session_id = e.session_id;

ALTER TABLE sessions ADD COLUMN disputed_at timestamptz;
COMMENT ON COLUMN sessions.disputed_at IS
    'Since when a bank disputes the charge: nothing is released or transferred while it does.';

CREATE VIEW transfers_of_sessions AS
SELECT
    session_id,
    COALESCE(sum(amount_minor) FILTER (WHERE state = 'planned'), 0)::bigint AS planned_minor,
    COALESCE(sum(amount_minor) FILTER (WHERE state = 'sent'), 0)::bigint AS sent_minor,
    sum(netted_minor)::bigint AS netted_minor,
    sum(reversed_minor)::bigint AS reversed_minor,
    max(sent_at) AS sent_at
FROM transfers
GROUP BY session_id;
COMMENT ON VIEW transfers_of_sessions IS
    'What of each session''s share went to the account, was kept for a debt, and came back.';

CREATE OR REPLACE VIEW session_lines AS
SELECT
    s.session_id, s.order_id, l.entry_id, l.account, l.amount_minor, l.currency
FROM ledger_lines AS l
INNER JOIN sessions AS s
    ON s.order_id = l.order_id AND s.session_id = COALESCE(l.session_id, s.session_id)
WHERE
    l.account IN (
        'session_clearing', 'refunds_in_transit', 'mentor_payable', 'platform_revenue',
        'refund_failed', 'mentor_debt'
    );

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
    AND s.objected_at IS NULL AND s.disputed_at IS NULL;

CREATE OR REPLACE VIEW in_flight_purchases AS
SELECT kind, subject, since FROM kit_in_flight
UNION ALL
SELECT 'operation:' || kind, subject, recorded_at
FROM operations
WHERE state IN ('planned', 'sent') AND COALESCE(outcome ->> 'because', '') <> 'balance_insufficient'
UNION ALL
SELECT 'webhook:' || type, event_id, received_at FROM webhooks WHERE state = 'waiting';

CREATE OR REPLACE VIEW in_flight_transfers AS
SELECT 'transfer'::text AS kind, e.session_id::text AS subject, e.released_at AS since
FROM earnings AS e
INNER JOIN accounts AS a ON a.mentor_id = e.mentor_id
INNER JOIN sessions AS s ON s.session_id = e.session_id
WHERE
    e.released_at IS NOT NULL AND e.transfer_state = 'waiting' AND a.can_receive
    AND s.disputed_at IS NULL;

CREATE OR REPLACE VIEW order_subjects_transfers AS
SELECT order_id, transfer_id::text AS subject FROM transfers WHERE number > 1
UNION ALL
SELECT order_id, reversal_id::text FROM reversals
UNION ALL
SELECT DISTINCT order_id, payout_id FROM transfers WHERE payout_id IS NOT NULL;

-- The payouts of a purchase are told where its transfers are.
CREATE OR REPLACE VIEW order_subjects AS
SELECT order_id, order_id::text AS subject FROM orders
UNION ALL
SELECT order_id, session_id::text FROM sessions
UNION ALL
SELECT order_id, refund_id::text FROM refunds
UNION ALL
SELECT order_id, subject FROM order_subjects_transfers
UNION ALL
SELECT order_id, subject FROM order_subjects_disputes
UNION ALL
SELECT order_id, subject FROM order_subjects_credits
UNION ALL
SELECT order_id, subject FROM order_subjects_plans
UNION ALL
SELECT order_id, subject FROM order_subjects_documents;

CREATE OR REPLACE VIEW saga_steps_purchases AS
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
WHERE l.order_id IS NOT NULL;

CREATE OR REPLACE VIEW saga_steps_transfers AS
SELECT
    t.order_id, p.created_at AS at, 'payout'::text AS kind, 'created'::text AS what, p.state,
    jsonb_build_object(
        'payout_id', p.stripe_payout_id, 'arrives_at', p.arrives_at, 'session_id', t.session_id
    ) AS details
FROM transfers AS t INNER JOIN payouts AS p ON t.payout_id = p.stripe_payout_id
UNION ALL
SELECT
    t.order_id, p.ended_at, 'payout', p.state, p.state,
    jsonb_strip_nulls(jsonb_build_object(
        'payout_id', p.stripe_payout_id, 'error', p.failure_code, 'session_id', t.session_id
    ))
FROM transfers AS t INNER JOIN payouts AS p ON t.payout_id = p.stripe_payout_id
WHERE p.ended_at IS NOT NULL;

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

ALTER TABLE earnings
    DROP COLUMN transfer_refusal,
    DROP COLUMN stripe_transfer_id,
    DROP COLUMN transferred_at,
    DROP COLUMN payout_id;

-- A payout is told by the steps that Stripe shows of it, and how often by the account.
ALTER TABLE payouts
    DROP CONSTRAINT payouts_state_known,
    ADD CONSTRAINT payouts_state_known
    CHECK (state IN ('created', 'in_transit', 'paid', 'failed')),
    ADD COLUMN replaces text [] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN payouts.replaces IS 'Failed payouts whose money this one sends again.';

ALTER TABLE accounts
    ADD COLUMN past_due text [] NOT NULL DEFAULT '{}',
    ADD COLUMN being_verified text [] NOT NULL DEFAULT '{}',
    ADD COLUMN requirements_until timestamptz,
    ADD COLUMN disabled_reason text,
    ADD COLUMN payout_schedule jsonb;
COMMENT ON COLUMN accounts.payout_schedule IS 'When Stripe pays out: interval, day and delay in days.';
