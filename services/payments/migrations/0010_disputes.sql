-- squawk-ignore-file adding-foreign-key-constraint, prefer-robust-stmts, require-concurrent-index-creation
-- Disputes of payments, the money each of them moved, what that took of which session, and what
-- booking told about sessions, to answer a dispute with.

CREATE TABLE disputes (
    dispute_id text PRIMARY KEY,
    order_id uuid NOT NULL CONSTRAINT disputes_order REFERENCES orders (order_id),
    amount_minor bigint NOT NULL CONSTRAINT disputes_amount CHECK (amount_minor >= 0),
    currency text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CONSTRAINT disputes_state_known CHECK (
        state IN (
            'warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response',
            'under_review', 'won', 'lost', 'prevented'
        )
    ),
    opened_at timestamptz NOT NULL,
    due_by timestamptz,
    answered_at timestamptz,
    closed_at timestamptz,
    refusal text
);
COMMENT ON TABLE disputes IS
    'Payments that a bank disputes or asks about, as Stripe last showed them; refusal is why it took no answer.';
CREATE INDEX disputes_order ON disputes (order_id);
CREATE INDEX disputes_open ON disputes (due_by, dispute_id) WHERE closed_at IS NULL;
CREATE INDEX disputes_closed ON disputes (closed_at, dispute_id) WHERE closed_at IS NOT NULL;

CREATE TABLE dispute_movements (
    movement_id text PRIMARY KEY,
    dispute_id text NOT NULL
    CONSTRAINT dispute_movements_dispute REFERENCES disputes (dispute_id),
    amount_minor bigint NOT NULL,
    fee_minor bigint NOT NULL,
    currency text NOT NULL,
    moved_at timestamptz NOT NULL
);
COMMENT ON TABLE dispute_movements IS
    'Balance transactions of disputes: below zero what the bank took, above what it gave back.';
CREATE INDEX dispute_movements_dispute ON dispute_movements (dispute_id);

CREATE TABLE dispute_takings (
    movement_id text NOT NULL
    CONSTRAINT dispute_takings_movement REFERENCES dispute_movements (movement_id),
    session_id uuid NOT NULL CONSTRAINT dispute_takings_session REFERENCES sessions (session_id),
    amount_minor bigint NOT NULL,
    price_minor bigint NOT NULL,
    PRIMARY KEY (movement_id, session_id)
);
COMMENT ON TABLE dispute_takings IS
    'What a movement took of what the card paid for a session, and so of its price; below zero what it gave back.';
CREATE INDEX dispute_takings_session ON dispute_takings (session_id);

CREATE TABLE session_records (
    session_id uuid PRIMARY KEY
    CONSTRAINT session_records_session REFERENCES sessions (session_id),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    policy text NOT NULL,
    ended text CONSTRAINT session_records_ended_known
    CHECK (ended IN ('completed', 'missed', 'cancelled')),
    ended_by text,
    ended_at timestamptz,
    visits jsonb NOT NULL DEFAULT '[]',
    owed_basis_points bigint NOT NULL DEFAULT 0
    CONSTRAINT session_records_owed CHECK (owed_basis_points BETWEEN 0 AND 10000)
);
COMMENT ON TABLE session_records IS
    'What booking told about sessions: when, under which policy, how they ended, who was in the room, and which fraction of the price booking gave back in all.';

CREATE INDEX orders_payment ON orders (payment_intent_id) WHERE payment_intent_id IS NOT NULL;

CREATE OR REPLACE VIEW order_subjects_disputes AS
SELECT order_id, dispute_id AS subject FROM disputes
UNION ALL
SELECT o.order_id, o.payment_intent_id
FROM orders AS o
WHERE EXISTS (SELECT FROM disputes AS d WHERE d.order_id = o.order_id);

CREATE OR REPLACE VIEW saga_steps_disputes AS
SELECT
    d.order_id,
    d.opened_at AS at,
    'dispute'::text AS kind,
    'opened'::text AS what,
    d.state,
    jsonb_strip_nulls(jsonb_build_object(
        'dispute_id', d.dispute_id,
        'amount_minor', d.amount_minor,
        'currency', d.currency,
        'reason', d.reason,
        'due_by', d.due_by,
        'error', d.refusal
    )) AS details
FROM disputes AS d
UNION ALL
SELECT
    d.order_id, d.answered_at, 'dispute', 'answered', d.state,
    jsonb_build_object('dispute_id', d.dispute_id)
FROM disputes AS d
WHERE d.answered_at IS NOT NULL
UNION ALL
SELECT
    d.order_id, m.moved_at, 'dispute',
    CASE WHEN m.amount_minor < 0 THEN 'funds withdrawn' ELSE 'funds reinstated' END,
    d.state,
    jsonb_build_object(
        'dispute_id', d.dispute_id, 'amount_minor', m.amount_minor, 'fee_minor', m.fee_minor,
        'currency', m.currency
    )
FROM dispute_movements AS m INNER JOIN disputes AS d ON m.dispute_id = d.dispute_id
UNION ALL
SELECT
    d.order_id, d.closed_at, 'dispute', 'closed', d.state,
    jsonb_build_object('dispute_id', d.dispute_id)
FROM disputes AS d
WHERE d.closed_at IS NOT NULL;

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
WHERE closed_at IS NULL;

CREATE VIEW dispute_leftovers AS
SELECT
    d.dispute_id,
    d.order_id,
    d.state,
    COALESCE(sum(m.amount_minor), 0)::bigint AS amount_minor
FROM disputes AS d
LEFT JOIN dispute_movements AS m ON d.dispute_id = m.dispute_id
WHERE d.closed_at IS NOT NULL
GROUP BY d.dispute_id, d.order_id, d.state, d.amount_minor
HAVING
    (d.state = 'won' AND COALESCE(sum(m.amount_minor), 0) < 0)
    OR (d.state = 'lost' AND COALESCE(sum(m.amount_minor), 0) <> -d.amount_minor);
COMMENT ON VIEW dispute_leftovers IS
    'Decided disputes whose money is not where the decision says; always empty.';
