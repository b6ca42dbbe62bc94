-- squawk-ignore-file adding-foreign-key-constraint, ban-drop-not-null, constraint-missing-not-valid, prefer-robust-stmts, require-concurrent-index-creation
-- Sessions that are paid before they are booked: packages, gifts, and funds for who cannot pay.

CREATE TABLE offered (
    offering_id uuid PRIMARY KEY,
    mentor_id uuid NOT NULL,
    title text NOT NULL,
    minutes bigint NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    published boolean NOT NULL,
    version bigint NOT NULL
);
COMMENT ON TABLE offered IS 'What mentors sell, as booking told it last.';

CREATE TABLE packages (
    package_id uuid PRIMARY KEY,
    offering_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    sessions bigint NOT NULL,
    unit_minor bigint NOT NULL,
    currency text NOT NULL,
    valid_months bigint NOT NULL,
    offered boolean NOT NULL DEFAULT true,
    CONSTRAINT packages_offering FOREIGN KEY (offering_id) REFERENCES offered (offering_id),
    CONSTRAINT packages_sessions CHECK (sessions > 0),
    CONSTRAINT packages_unit CHECK (unit_minor > 0)
);
COMMENT ON TABLE packages IS
    'So many sessions of an offering for less: unit_minor is what one of them costs.';
CREATE INDEX packages_mentor ON packages (mentor_id, package_id);
CREATE INDEX packages_offering_offered ON packages (offering_id) WHERE offered;

CREATE TABLE lots (
    lot_id uuid PRIMARY KEY,
    purchase_id uuid NOT NULL,
    kind text NOT NULL,
    buyer_id uuid NOT NULL,
    owner_id uuid,
    mentor_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    title text NOT NULL,
    minutes bigint NOT NULL,
    list_price_minor bigint NOT NULL,
    unit_minor bigint NOT NULL,
    currency text NOT NULL,
    sessions bigint NOT NULL,
    valid_months bigint NOT NULL,
    remaining bigint NOT NULL,
    expires_at timestamptz,
    remind_at timestamptz,
    code_hash bytea,
    CONSTRAINT lots_purchase FOREIGN KEY (purchase_id) REFERENCES orders (order_id),
    CONSTRAINT lots_kind_known CHECK (kind IN ('package', 'gift', 'sponsorship', 'plan')),
    CONSTRAINT lots_remaining_of_sessions CHECK (remaining >= 0 AND remaining <= sessions),
    CONSTRAINT lots_unit CHECK (unit_minor > 0),
    CONSTRAINT lots_open_when_paid CHECK (expires_at IS NOT NULL OR remaining = 0),
    CONSTRAINT lots_code_once UNIQUE (code_hash)
);
COMMENT ON TABLE lots IS
    'Credits: sessions of an offering that were paid at once, and how many are left; owner_id is empty until a gift is redeemed, and for what is left of a fund; expires_at is empty until it was paid; code_hash is that of the code of a gift.';
CREATE INDEX lots_owner ON lots (owner_id, mentor_id) WHERE owner_id IS NOT NULL;
CREATE INDEX lots_buyer ON lots (buyer_id, lot_id);
CREATE INDEX lots_purchase_index ON lots (purchase_id);
CREATE INDEX lots_fund ON lots (mentor_id, offering_id)
    WHERE kind = 'sponsorship' AND owner_id IS NULL;
CREATE INDEX lots_expires_at ON lots (expires_at) WHERE remaining > 0;
CREATE INDEX lots_remind_at ON lots (remind_at) WHERE remaining > 0 AND remind_at IS NOT NULL;

ALTER TABLE sessions
    ADD CONSTRAINT sessions_lot FOREIGN KEY (lot_id) REFERENCES lots (lot_id);
CREATE INDEX sessions_lot_index ON sessions (lot_id) WHERE lot_id IS NOT NULL;

ALTER TABLE refunds
    ALTER COLUMN session_id DROP NOT NULL,
    ADD COLUMN lot_id uuid,
    ADD CONSTRAINT refunds_lot FOREIGN KEY (lot_id) REFERENCES lots (lot_id),
    ADD CONSTRAINT refunds_of_session_or_lot CHECK (session_id IS NOT NULL OR lot_id IS NOT NULL);
COMMENT ON COLUMN refunds.session_id IS
    'The session whose part of the price goes back; empty where unused credits do.';
COMMENT ON COLUMN refunds.lot_id IS
    'With a session: the credits it came back to, in place of money. Without: the unused credits that go back as money.';

CREATE VIEW credits_leftovers AS
SELECT
    o.order_id, o.currency,
    COALESCE(l.worth_minor, 0)::bigint AS worth_minor,
    COALESCE(b.posted_minor, 0)::bigint AS posted_minor
FROM orders AS o
LEFT JOIN (
    SELECT purchase_id, sum(remaining * unit_minor) AS worth_minor FROM lots GROUP BY purchase_id
) AS l ON l.purchase_id = o.order_id
LEFT JOIN (
    SELECT order_id, -sum(amount_minor) AS posted_minor
    FROM ledger_lines
    WHERE account IN ('credits', 'sponsored')
    GROUP BY order_id
) AS b ON b.order_id = o.order_id
WHERE o.kind <> 'sessions' AND COALESCE(l.worth_minor, 0) <> COALESCE(b.posted_minor, 0);
COMMENT ON VIEW credits_leftovers IS
    'Purchases of credits whose unused credits are worth something else than the ledger keeps; always empty.';

CREATE OR REPLACE VIEW due_credits AS
SELECT 'expire_credits'::text AS kind, lot_id::text AS subject, expires_at AS due_at
FROM lots
WHERE remaining > 0
UNION ALL
SELECT 'remind_of_credits', lot_id::text, remind_at
FROM lots
WHERE remaining > 0 AND remind_at IS NOT NULL;

CREATE OR REPLACE VIEW order_subjects_credits AS
SELECT purchase_id AS order_id, lot_id::text AS subject
FROM lots;

CREATE OR REPLACE VIEW saga_steps_credits AS
SELECT
    s.order_id, e.happened_at AS at, 'credit'::text AS kind, e.kind AS what, l.kind AS state,
    jsonb_build_object('session_id', s.session_id, 'lot_id', l.lot_id, 'purchase_id', l.purchase_id)
        AS details
FROM sessions AS s
INNER JOIN lots AS l ON l.lot_id = s.lot_id
INNER JOIN ledger_entries AS e
    ON e.cause IN (
        'credit_used:' || s.session_id, 'credit_freed:' || s.session_id,
        'credit_returned:' || s.session_id
    );

CREATE OR REPLACE VIEW saga_waits_credits AS
SELECT
    purchase_id AS order_id, 'somebody books with what is left, or it expires'::text AS waits_for,
    NULL::timestamptz AS since, expires_at AS due_at, 'business'::text AS clock,
    false AS needs_operator, jsonb_build_object('lot_id', lot_id, 'remaining', remaining) AS details
FROM lots
WHERE remaining > 0;
