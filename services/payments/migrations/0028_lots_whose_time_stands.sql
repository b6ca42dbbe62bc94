-- squawk-ignore-file prefer-robust-stmts, require-concurrent-index-creation, require-concurrent-index-deletion
-- However many credits rest, those whose time goes on are found at once: what the clock meets and
-- cannot end is set aside, until something of it changes.

ALTER TABLE lots ADD COLUMN set_aside boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN lots.set_aside IS
    'Whether its time had come and stood still then; whatever is changed of it has its time looked at anew.';

DROP INDEX lots_expires_at;
DROP INDEX lots_remind_at;
CREATE INDEX lots_expires_at ON lots (expires_at) WHERE remaining > 0 AND NOT set_aside;
CREATE INDEX lots_remind_at ON lots (remind_at)
    WHERE remaining > 0 AND remind_at IS NOT NULL AND NOT set_aside;
