-- squawk-ignore-file adding-field-with-default, constraint-missing-not-valid, adding-not-nullable-field, prefer-robust-stmts
-- What is bought, and who pays which share of a session's price: the card, the platform with a
-- promotion code, or credits that were paid before.

ALTER TABLE orders
    ADD COLUMN kind text NOT NULL DEFAULT 'sessions'
    CONSTRAINT orders_kind_known
    CHECK (kind IN ('sessions', 'package', 'gift', 'sponsorship', 'plan'));
COMMENT ON COLUMN orders.kind IS 'Sessions that booking holds, or credits for sessions to come.';

ALTER TABLE sessions
    ADD COLUMN discount_minor bigint NOT NULL DEFAULT 0
    CONSTRAINT sessions_discount_within_price
    CHECK (discount_minor >= 0 AND discount_minor <= price_minor),
    ADD COLUMN lot_id uuid;
COMMENT ON COLUMN sessions.discount_minor IS
    'What of the price the platform gives with a promotion code; the mentor earns of the whole price.';
COMMENT ON COLUMN sessions.lot_id IS 'The credits that pay for the session in place of the card.';
