-- Orders and their money, the ledger, connected accounts, calls to Stripe and what Stripe tells us.
-- Columns named …_at hold business instants unless a comment says that they hold system time.

CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    session_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    mentee_id uuid NOT NULL,
    title text NOT NULL,
    price_minor bigint NOT NULL CONSTRAINT orders_price_not_negative CHECK (price_minor >= 0),
    currency text NOT NULL,
    platform_share_basis_points bigint NOT NULL,
    release_delay_seconds bigint NOT NULL,
    hold_until timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT orders_state_known
        CHECK (state IN ('being_prepared', 'open', 'closing', 'closed', 'paid')),
    close_at timestamptz NOT NULL,
    look_at timestamptz,
    decision text NOT NULL CONSTRAINT orders_decision_known
        CHECK (decision IN ('held', 'confirmed', 'expired', 'lost', 'cancelled', 'completed')),
    checkout_id text CONSTRAINT orders_checkout_once UNIQUE,
    checkout_url text,
    payment_intent_id text,
    charge_id text,
    stripe_fee_minor bigint,
    paid_at timestamptz,
    closed_because text,
    opened_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE orders IS 'One purchase: frozen amounts, its payment page, and what booking decided.';
CREATE INDEX orders_close_at ON orders (close_at) WHERE state = 'open';
CREATE INDEX orders_look_at ON orders (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE earnings (
    order_id uuid PRIMARY KEY REFERENCES orders (order_id),
    mentor_id uuid NOT NULL,
    currency text NOT NULL,
    retained_minor bigint NOT NULL,
    mentor_minor bigint NOT NULL,
    platform_minor bigint NOT NULL,
    due_at timestamptz,
    released_at timestamptz,
    transfer_state text NOT NULL CONSTRAINT earnings_transfer_state_known
        CHECK (transfer_state IN ('waiting', 'planned', 'refused', 'sent', 'nothing')),
    transfer_refusal text,
    stripe_transfer_id text CONSTRAINT earnings_transfer_once UNIQUE,
    transferred_at timestamptz,
    payout_id text,
    CONSTRAINT earnings_add_up CHECK (
        retained_minor >= 0 AND mentor_minor >= 0 AND platform_minor >= 0
        AND mentor_minor + platform_minor = retained_minor
    )
);
COMMENT ON TABLE earnings IS
    'What stays of a paid order and how it is split; due_at is empty until booking says how it ended.';
CREATE INDEX earnings_due_at ON earnings (due_at) WHERE released_at IS NULL AND due_at IS NOT NULL;
CREATE INDEX earnings_mentor ON earnings (mentor_id, order_id);
CREATE INDEX earnings_to_transfer ON earnings (mentor_id)
    WHERE transfer_state IN ('waiting', 'refused') AND released_at IS NOT NULL;
CREATE INDEX earnings_payout ON earnings (payout_id) WHERE payout_id IS NOT NULL;

CREATE TABLE refunds (
    refund_id uuid PRIMARY KEY,
    order_id uuid NOT NULL CONSTRAINT refunds_once_per_order UNIQUE REFERENCES orders (order_id),
    amount_minor bigint NOT NULL CONSTRAINT refunds_amount_positive CHECK (amount_minor > 0),
    currency text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CONSTRAINT refunds_state_known
        CHECK (state IN ('planned', 'issued', 'settled', 'failed')),
    stripe_refund_id text CONSTRAINT refunds_stripe_refund_once UNIQUE,
    planned_at timestamptz NOT NULL,
    issued_at timestamptz,
    failed_at timestamptz,
    failure_code text
);
COMMENT ON TABLE refunds IS
    'Money on its way back: issued when Stripe accepted it, settled when it left our balance.';

CREATE TABLE accounts (
    mentor_id uuid PRIMARY KEY,
    country text NOT NULL,
    return_url text NOT NULL,
    refresh_url text NOT NULL,
    stripe_account_id text CONSTRAINT accounts_stripe_account_once UNIQUE,
    details_submitted boolean NOT NULL DEFAULT false,
    payouts_enabled boolean NOT NULL DEFAULT false,
    can_receive boolean NOT NULL DEFAULT false,
    requirements text[] NOT NULL DEFAULT '{}',
    onboarding_url text,
    onboarding_until timestamptz,
    refusal text,
    begun_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    payout_version bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE accounts IS 'Connected accounts of mentors, as Stripe last showed them.';

CREATE TABLE payouts (
    stripe_payout_id text PRIMARY KEY,
    mentor_id uuid NOT NULL REFERENCES accounts (mentor_id),
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    state text NOT NULL CONSTRAINT payouts_state_known
        CHECK (state IN ('created', 'paid', 'failed')),
    created_at timestamptz NOT NULL,
    arrives_at timestamptz NOT NULL,
    ended_at timestamptz,
    failure_code text
);
COMMENT ON TABLE payouts IS 'Money on its way from Stripe to the banks of mentors.';
CREATE INDEX payouts_mentor ON payouts (mentor_id, created_at, stripe_payout_id);

CREATE TABLE operations (
    operation_id uuid PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    generation bigint NOT NULL,
    idempotency_key text NOT NULL CONSTRAINT operations_key_once UNIQUE,
    parameters jsonb NOT NULL,
    state text NOT NULL CONSTRAINT operations_state_known
        CHECK (state IN ('planned', 'sent', 'done', 'refused', 'undetermined')),
    look_first boolean NOT NULL DEFAULT false,
    attempts bigint NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    planned_at timestamptz NOT NULL,
    first_sent_at timestamptz,
    ended_at timestamptz,
    outcome jsonb,
    CONSTRAINT operations_generation_once UNIQUE (kind, subject, generation)
);
COMMENT ON TABLE operations IS
    'Every call to Stripe, written down before it is made. next_try_at, lease_until and recorded_at are system time.';
CREATE UNIQUE INDEX operations_one_open ON operations (kind, subject)
    WHERE state IN ('planned', 'sent', 'undetermined');
CREATE INDEX operations_next ON operations (next_try_at) WHERE state IN ('planned', 'sent');
CREATE INDEX operations_state ON operations (state, operation_id);

CREATE TABLE webhooks (
    event_id text PRIMARY KEY,
    type text NOT NULL,
    account_id text,
    object_id text NOT NULL,
    subject text,
    created_at timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT webhooks_state_known
        CHECK (state IN ('waiting', 'obeyed', 'ignored', 'unmatched')),
    attempts bigint NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    received_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE webhooks IS
    'What Stripe told us, once per event, without personal data: the object is read again. next_try_at and received_at are system time.';
CREATE INDEX webhooks_waiting ON webhooks (next_try_at) WHERE state = 'waiting';

CREATE TABLE event_reads (
    source text PRIMARY KEY,
    account_id text,
    read_until timestamptz NOT NULL,
    next_read_at timestamptz NOT NULL
);
COMMENT ON TABLE event_reads IS 'How far the event list of the platform and of each connected account was read.';

CREATE TABLE ledger_entries (
    entry_id uuid PRIMARY KEY,
    cause text NOT NULL CONSTRAINT ledger_entries_cause_once UNIQUE,
    kind text NOT NULL,
    happened_at timestamptz NOT NULL
);
COMMENT ON TABLE ledger_entries IS 'One posting each; cause says what it follows from, so that it happens once.';

CREATE TABLE ledger_lines (
    entry_id uuid NOT NULL REFERENCES ledger_entries (entry_id),
    line_number bigint NOT NULL,
    account text NOT NULL,
    order_id uuid,
    mentor_id uuid,
    amount_minor bigint NOT NULL CONSTRAINT ledger_lines_not_zero CHECK (amount_minor <> 0),
    currency text NOT NULL,
    PRIMARY KEY (entry_id, line_number)
);
COMMENT ON TABLE ledger_lines IS 'Debits are positive, credits negative; each entry sums to zero per currency.';
CREATE INDEX ledger_lines_order ON ledger_lines (order_id, account) WHERE order_id IS NOT NULL;
CREATE INDEX ledger_lines_account ON ledger_lines (account, currency);

CREATE FUNCTION refuse_unbalanced_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ledger_lines WHERE entry_id = NEW.entry_id
        GROUP BY currency HAVING sum(amount_minor) <> 0
    ) OR NOT EXISTS (SELECT FROM ledger_lines WHERE entry_id = NEW.entry_id) THEN
        RAISE EXCEPTION 'ledger entry % does not balance', NEW.entry_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entries_balance';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entries_balance AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced_entry();
CREATE CONSTRAINT TRIGGER ledger_lines_balance AFTER INSERT ON ledger_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced_entry();

-- Nobody rewrites the ledger: not the runtime role, and by mistake not even the owner.
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER ledger_entries_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER ledger_lines_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
REVOKE UPDATE, DELETE, TRUNCATE ON ledger_entries, ledger_lines FROM payments_app;

CREATE VIEW ledger_balances AS
    SELECT account, currency, sum(amount_minor)::bigint AS amount_minor
    FROM ledger_lines GROUP BY account, currency;
COMMENT ON VIEW ledger_balances IS 'The trial balance: sums to zero per currency.';

CREATE VIEW ledger_imbalances AS
    SELECT entry_id::text AS entry, currency, sum(amount_minor)::bigint AS amount_minor
    FROM ledger_lines GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0;
COMMENT ON VIEW ledger_imbalances IS 'Entries that do not sum to zero; always empty.';

CREATE VIEW orders_at_rest AS
    SELECT o.order_id FROM orders AS o
    LEFT JOIN earnings AS e ON e.order_id = o.order_id
    LEFT JOIN refunds AS r ON r.order_id = o.order_id
    WHERE o.state = 'closed'
       OR (o.state = 'paid' AND o.decision IN ('lost', 'cancelled', 'completed')
           AND (r.order_id IS NULL OR r.state IN ('settled', 'failed'))
           AND (e.order_id IS NULL OR e.retained_minor = 0 OR e.released_at IS NOT NULL));
COMMENT ON VIEW orders_at_rest IS 'Orders whose money has found its final place.';

CREATE VIEW clearing_leftovers AS
    SELECT l.order_id, l.account, l.currency, sum(l.amount_minor)::bigint AS amount_minor
    FROM ledger_lines AS l JOIN orders_at_rest AS o ON o.order_id = l.order_id
    WHERE l.account IN ('session_clearing', 'refunds_in_transit')
    GROUP BY l.order_id, l.account, l.currency HAVING sum(l.amount_minor) <> 0;
COMMENT ON VIEW clearing_leftovers IS 'Clearing accounts that are not zero in a final state; always empty.';

CREATE VIEW paid_without_outcome AS
    SELECT order_id, paid_at FROM orders
    WHERE state = 'paid' AND decision IN ('held', 'expired');
COMMENT ON VIEW paid_without_outcome IS
    'Paid orders of which booking has said neither confirmed nor lost; empty but for those in flight.';

CREATE VIEW due AS
    SELECT 'close_checkout'::text AS kind, order_id::text AS subject, close_at AS due_at
    FROM orders WHERE state = 'open'
    UNION ALL
    SELECT 'look_at_checkout', order_id::text, look_at FROM orders WHERE look_at IS NOT NULL
    UNION ALL
    SELECT 'release_earnings', order_id::text, due_at
    FROM earnings WHERE released_at IS NULL AND due_at IS NOT NULL;
COMMENT ON VIEW due IS 'What this service will do by itself, and when.';

CREATE VIEW in_flight AS
    SELECT kind, subject, since FROM kit_in_flight
    UNION ALL
    SELECT 'operation:' || kind, subject, recorded_at
    FROM operations WHERE state IN ('planned', 'sent')
    UNION ALL
    SELECT 'webhook:' || type, event_id, received_at FROM webhooks WHERE state = 'waiting'
    UNION ALL
    SELECT 'transfer', e.order_id::text, e.released_at
    FROM earnings AS e JOIN accounts AS a ON a.mentor_id = e.mentor_id
    WHERE e.released_at IS NOT NULL AND e.transfer_state = 'waiting' AND a.can_receive;
COMMENT ON VIEW in_flight IS 'Work that is accepted and not finished; what needs an operator does not count.';
