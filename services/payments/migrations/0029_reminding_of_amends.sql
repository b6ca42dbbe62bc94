-- squawk-ignore-file prefer-robust-stmts, require-concurrent-index-creation
-- Whoever has amends is reminded of them before they end.

ALTER TABLE promotions ADD COLUMN remind_at timestamptz;
COMMENT ON COLUMN promotions.remind_at IS
    'When whose amends these are is reminded of them; empty when that was done, and of codes.';
CREATE INDEX promotions_remind_at ON promotions (remind_at) WHERE remind_at IS NOT NULL;
UPDATE promotions SET remind_at = ends_at - interval '14 days' WHERE mentee_id IS NOT NULL;

CREATE VIEW due_amends AS
SELECT 'remind_of_amends'::text AS kind, promotion_id::text AS subject, remind_at AS due_at
FROM promotions
WHERE remind_at IS NOT NULL;

CREATE OR REPLACE VIEW due AS
SELECT kind, subject, due_at FROM due_purchases
UNION ALL
SELECT kind, subject, due_at FROM due_transfers
UNION ALL
SELECT kind, subject, due_at FROM due_disputes
UNION ALL
SELECT kind, subject, due_at FROM due_credits
UNION ALL
SELECT kind, subject, due_at FROM due_amends
UNION ALL
SELECT kind, subject, due_at FROM due_plans
UNION ALL
SELECT kind, subject, due_at FROM due_documents;
