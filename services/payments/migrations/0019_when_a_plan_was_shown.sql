-- squawk-ignore-file prefer-robust-stmts
-- When an answer of Stripe's last changed a subscription: what was asked before may show it older.

ALTER TABLE subscriptions ADD COLUMN shown_at timestamptz;
COMMENT ON COLUMN subscriptions.shown_at IS
    'When an answer changed it last; an answer to a call that was sent before is not taken in.';
