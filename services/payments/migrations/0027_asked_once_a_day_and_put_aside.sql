-- squawk-ignore-file prefer-robust-stmts, require-concurrent-index-creation
-- What Stripe could not take back for want of balance is asked for again once a day; a paper that
-- cannot be made keeps no other waiting; and it is kept whose account of Stripe all of this is.

ALTER TABLE reversals
    ADD COLUMN attempt bigint NOT NULL DEFAULT 1,
    ADD COLUMN ask_at timestamptz;
COMMENT ON COLUMN reversals.ask_at IS
    'When Stripe is asked again for what the account did not hold; empty where nobody asks.';
CREATE INDEX reversals_ask_at ON reversals (ask_at) WHERE ask_at IS NOT NULL;

CREATE OR REPLACE VIEW due_transfers AS
SELECT 'ask_reversal_again'::text AS kind, reversal_id::text AS subject, ask_at AS due_at
FROM reversals
WHERE ask_at IS NOT NULL;

ALTER TABLE documents_wanted
    ADD COLUMN failed_at timestamptz,
    ADD COLUMN reason text;
COMMENT ON COLUMN documents_wanted.failed_at IS
    'When it was put aside because the paper cannot be made, which reason names; an operator has it tried again.';

CREATE OR REPLACE VIEW in_flight_documents AS
SELECT 'document'::text AS kind, entry_id::text AS subject, since
FROM documents_wanted
WHERE failed_at IS NULL
UNION ALL
SELECT 'statement', mentor_id::text, since
FROM statements_wanted;

CREATE OR REPLACE VIEW saga_waits_documents AS
SELECT
    l.order_id, 'an operator finds out why its paper cannot be made'::text AS waits_for,
    w.failed_at AS since, w.failed_at AS due_at, 'business'::text AS clock,
    true AS needs_operator, jsonb_build_object('error', w.reason) AS details
FROM documents_wanted AS w
CROSS JOIN LATERAL (
    SELECT m.order_id FROM ledger_lines AS m
    WHERE m.entry_id = w.entry_id AND m.order_id IS NOT NULL
    ORDER BY m.line_number LIMIT 1
) AS l
WHERE w.failed_at IS NOT NULL;

CREATE TABLE platform (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT platform_one_row CHECK (one),
    stripe_account_id text NOT NULL,
    live boolean NOT NULL,
    known_since timestamptz NOT NULL
);
COMMENT ON TABLE platform IS
    'The platform''s own account of Stripe, which everything here is about; a key of another one is not worked with.';
REVOKE UPDATE, DELETE, TRUNCATE ON platform FROM payments_app;
