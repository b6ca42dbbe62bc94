-- squawk-ignore-file adding-foreign-key-constraint, require-concurrent-index-creation
-- Disputes whose money Stripe moved in another currency than the payment's are known all the same;
-- accounts that Stripe lets nobody reach any more are left, and another takes their place.

CREATE VIEW foreign_movements AS
SELECT m.dispute_id, d.order_id, m.currency, min(m.moved_at) AS moved_at
FROM dispute_movements AS m INNER JOIN disputes AS d ON m.dispute_id = d.dispute_id
WHERE
    m.currency <> d.currency
    AND NOT EXISTS (
        SELECT FROM ledger_entries AS e INNER JOIN ledger_lines AS l ON e.entry_id = l.entry_id
        WHERE
            e.source = m.dispute_id AND l.account = 'stripe_balance'
            AND l.currency = m.currency AND e.happened_at >= m.moved_at
    )
GROUP BY m.dispute_id, d.order_id, m.currency;
COMMENT ON VIEW foreign_movements IS
    'Money of disputes in another currency than the payment''s, which an operator has not booked yet.';

CREATE OR REPLACE VIEW dispute_leftovers AS
SELECT
    d.dispute_id,
    d.order_id,
    d.state,
    COALESCE(sum(m.amount_minor), 0)::bigint AS amount_minor
FROM disputes AS d
LEFT JOIN dispute_movements AS m ON d.dispute_id = m.dispute_id
WHERE
    d.closed_at IS NOT NULL
    -- An amount of another currency cannot be compared with what is disputed.
    AND NOT EXISTS (
        SELECT FROM dispute_movements AS f
        WHERE f.dispute_id = d.dispute_id AND f.currency <> d.currency
    )
GROUP BY d.dispute_id, d.order_id, d.state, d.amount_minor
HAVING
    (d.state = 'won' AND COALESCE(sum(m.amount_minor), 0) < 0)
    OR (d.state = 'lost' AND COALESCE(sum(m.amount_minor), 0) <> -d.amount_minor);

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
    OR (e.released_at IS NOT NULL AND e.transfer_state IN ('waiting', 'refused'))
UNION ALL
SELECT
    order_id, 'an operator books what the bank moved in another currency', moved_at, moved_at,
    'business', true, jsonb_build_object('dispute_id', dispute_id, 'currency', currency)
FROM foreign_movements;

ALTER TABLE accounts ADD COLUMN closed_at timestamptz;
COMMENT ON COLUMN accounts.closed_at IS
    'Since when Stripe says that we cannot reach the account any more.';
CREATE TABLE former_accounts (
    stripe_account_id text PRIMARY KEY,
    mentor_id uuid NOT NULL
    CONSTRAINT former_accounts_mentor REFERENCES accounts (mentor_id),
    left_at timestamptz NOT NULL
);
COMMENT ON TABLE former_accounts IS
    'Closed accounts of mentors who have another since: their payouts stay the mentor''s, and their events are read no more.';
CREATE INDEX former_accounts_mentor ON former_accounts (mentor_id);
