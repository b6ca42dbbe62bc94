-- squawk-ignore-file ban-drop-column
-- What people write stays in booking (docs/decisions/0024). Nothing was released before this, so
-- the column goes at once.

ALTER TABLE sessions DROP COLUMN cancel_reason;

UPDATE messages SET details = (details - 'reason') || '{"reason_given": 1}'
WHERE kind IN ('move_proposed', 'objection_raised', 'objection_settled') AND details ? 'reason';
