-- squawk-ignore-file adding-field-with-default, adding-not-nullable-field, ban-drop-constraint, constraint-missing-not-valid, prefer-robust-stmts, require-concurrent-index-creation
-- What the platform takes of a price by rule, and promotion codes with what was taken off by them.

CREATE TABLE fee_rules (
    version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mentor_id uuid,
    share_basis_points bigint NOT NULL,
    tiers jsonb NOT NULL,
    minimums jsonb NOT NULL,
    stripe_fee text NOT NULL,
    ended boolean NOT NULL DEFAULT false,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT fee_rules_share CHECK (share_basis_points BETWEEN 0 AND 10000),
    CONSTRAINT fee_rules_stripe_fee CHECK (stripe_fee IN ('platform', 'mentor'))
);
COMMENT ON TABLE fee_rules IS
    'Every version of the rules: the newest without a mentor holds for everybody, the newest of a mentor before it unless ended. Never changed.';
CREATE INDEX fee_rules_mentor ON fee_rules (mentor_id, version);
REVOKE UPDATE, DELETE, TRUNCATE ON fee_rules FROM payments_app;

CREATE INDEX earnings_volume ON earnings (mentor_id, currency) INCLUDE (retained_minor)
    WHERE released_at IS NOT NULL;

CREATE TABLE promotions (
    promotion_id uuid PRIMARY KEY,
    code text NOT NULL,
    paid_by text NOT NULL,
    made_by uuid NOT NULL,
    made_at timestamptz NOT NULL,
    percent_basis_points bigint,
    amount_minor bigint,
    currency text,
    mentor_id uuid,
    offering_id uuid,
    at_most bigint,
    per_person bigint,
    first_purchase_only boolean NOT NULL,
    starts_at timestamptz,
    ends_at timestamptz,
    paused_at timestamptz,
    used bigint NOT NULL DEFAULT 0,
    CONSTRAINT promotions_code UNIQUE (code),
    CONSTRAINT promotions_payer CHECK (
        paid_by = 'platform' OR (paid_by = 'mentor' AND mentor_id IS NOT NULL)
    ),
    CONSTRAINT promotions_off CHECK (
        (percent_basis_points BETWEEN 1 AND 10000 AND amount_minor IS NULL AND currency IS NULL)
        OR (percent_basis_points IS NULL AND amount_minor > 0 AND currency IS NOT NULL)
    ),
    CONSTRAINT promotions_used CHECK (used >= 0)
);
COMMENT ON TABLE promotions IS
    'Codes that take something off a price; used counts the uses that were not given back.';
CREATE INDEX promotions_mentor ON promotions (mentor_id, promotion_id);

CREATE TABLE promotion_uses (
    order_id uuid PRIMARY KEY,
    promotion_id uuid NOT NULL,
    mentee_id uuid NOT NULL,
    discount_minor bigint NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT promotion_uses_order FOREIGN KEY (order_id) REFERENCES orders (order_id),
    CONSTRAINT promotion_uses_promotion FOREIGN KEY (promotion_id)
        REFERENCES promotions (promotion_id),
    CONSTRAINT promotion_uses_discount CHECK (discount_minor > 0),
    CONSTRAINT promotion_uses_state CHECK (state IN ('reserved', 'redeemed', 'given_back'))
);
COMMENT ON TABLE promotion_uses IS
    'Which purchase used a code: reserved with its payment page, redeemed with its payment.';
CREATE INDEX promotion_uses_person ON promotion_uses (promotion_id, mentee_id);

ALTER TABLE orders
    ADD COLUMN minimum_fee_minor bigint NOT NULL DEFAULT 0
    CONSTRAINT orders_minimum_fee CHECK (minimum_fee_minor >= 0),
    ADD COLUMN fee_rule bigint,
    ADD COLUMN borne_fee_minor bigint DEFAULT 0,
    ADD COLUMN promotion_code text,
    ADD COLUMN promotion_refused text,
    ADD COLUMN taken_off_minor bigint NOT NULL DEFAULT 0
    CONSTRAINT orders_taken_off CHECK (taken_off_minor >= 0);
COMMENT ON COLUMN orders.minimum_fee_minor IS 'The least the platform takes of a session''s price.';
COMMENT ON COLUMN orders.fee_rule IS 'By which version of the rules; none: by the settings.';
COMMENT ON COLUMN orders.borne_fee_minor IS
    'What the mentor bears of Stripe''s fee; empty while that is waited for.';
COMMENT ON COLUMN orders.promotion_refused IS 'Why the code that was named takes nothing off.';
COMMENT ON COLUMN orders.taken_off_minor IS
    'What a code of the mentor''s took off the price: price_minor is the price after it.';
CREATE INDEX orders_bought ON orders (mentee_id) WHERE paid_at IS NOT NULL;

ALTER TABLE refunds
    ADD COLUMN discount_minor bigint NOT NULL DEFAULT 0
    CONSTRAINT refunds_discount CHECK (discount_minor >= 0),
    DROP CONSTRAINT refunds_amount_positive,
    ADD CONSTRAINT refunds_amount_positive CHECK (amount_minor + discount_minor > 0);
COMMENT ON COLUMN refunds.discount_minor IS
    'What of the price came back to the platform, which had given it with a promotion code.';
