-- squawk-ignore-file require-concurrent-index-creation, adding-foreign-key-constraint, ban-drop-trigger
-- Books one can trust: balances that are counted while posting and can be proved from the entries,
-- entries that name the object of Stripe that shows them, and what Stripe's own list says of it.

ALTER TABLE ledger_entries ADD COLUMN source text;
COMMENT ON COLUMN ledger_entries.source IS
    'The object of Stripe (charge, refund, transfer, reversal, dispute, payout) whose balance transactions show the same; empty where Stripe''s balance is not touched.';

-- Entries from before get their source once; then nobody changes them any more.
ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_final;
UPDATE ledger_entries AS e
SET source = o.charge_id
FROM orders AS o
WHERE e.kind IN ('payment', 'stripe_fee') AND e.cause = e.kind || ':' || o.order_id;
UPDATE ledger_entries AS e
SET source = r.stripe_refund_id
FROM refunds AS r
WHERE
    e.kind IN ('refund_settled', 'refund_failed')
    AND split_part(e.cause, ':', 2) = r.refund_id::text;
UPDATE ledger_entries AS e
SET source = n.stripe_transfer_id
FROM transfers AS n
WHERE e.kind = 'transfer' AND e.cause = 'transfer:' || n.transfer_id;
ALTER TABLE ledger_entries ENABLE TRIGGER ledger_entries_final;

CREATE INDEX ledger_entries_source ON ledger_entries (source) WHERE source IS NOT NULL;
CREATE INDEX ledger_entries_happened_at ON ledger_entries (happened_at);

-- A balance is the sum of its rows. Every connection counts in rows of its own, so that nobody waits
-- for anybody, and no two can wait for each other; now and then they are folded into slot 0.
CREATE TABLE ledger_counters (
    account text NOT NULL,
    mentor_id uuid,
    currency text NOT NULL,
    slot bigint NOT NULL,
    amount_minor bigint NOT NULL,
    CONSTRAINT ledger_counters_once UNIQUE NULLS NOT DISTINCT (account, mentor_id, currency, slot)
);
COMMENT ON TABLE ledger_counters IS
    'Balances, counted by the transaction that posts: per account, mentor and currency; slot is the connection that counted, 0 what was folded.';
CREATE INDEX ledger_counters_mentor ON ledger_counters (mentor_id) WHERE mentor_id IS NOT NULL;
CREATE INDEX ledger_counters_unfolded ON ledger_counters (slot) WHERE slot <> 0;
INSERT INTO ledger_counters (account, mentor_id, currency, slot, amount_minor)
SELECT account, mentor_id, currency, 0, sum(amount_minor)
FROM ledger_lines GROUP BY account, mentor_id, currency;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger_counters FROM payments_app;

CREATE FUNCTION count_ledger_lines() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = payments, pg_temp AS $$
BEGIN
    INSERT INTO ledger_counters AS c (account, mentor_id, currency, slot, amount_minor)
    SELECT account, mentor_id, currency, pg_backend_pid(), sum(amount_minor)
    FROM posted GROUP BY account, mentor_id, currency
    ON CONFLICT ON CONSTRAINT ledger_counters_once
    DO UPDATE SET amount_minor = c.amount_minor + EXCLUDED.amount_minor;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_lines_counted AFTER INSERT ON ledger_lines
REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION count_ledger_lines();

CREATE FUNCTION fold_ledger_counters(at_most bigint) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = payments, pg_temp AS $$
DECLARE
    folded bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('payments.fold_ledger_counters')) THEN
        RETURN 0;
    END IF;
    -- What somebody counts in just now is left for the next time: this waits for nobody.
    WITH chosen AS (
        SELECT ctid FROM ledger_counters WHERE slot <> 0 LIMIT at_most FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM ledger_counters AS c USING chosen WHERE c.ctid = chosen.ctid
        RETURNING c.account, c.mentor_id, c.currency, c.amount_minor
    ), kept AS (
        INSERT INTO ledger_counters AS c (account, mentor_id, currency, slot, amount_minor)
        SELECT account, mentor_id, currency, 0, sum(amount_minor)
        FROM taken GROUP BY account, mentor_id, currency
        ON CONFLICT ON CONSTRAINT ledger_counters_once
        DO UPDATE SET amount_minor = c.amount_minor + EXCLUDED.amount_minor
    )
    SELECT count(*) INTO folded FROM taken;
    RETURN folded;
END $$;
COMMENT ON FUNCTION fold_ledger_counters IS
    'Adds up rows of the same balance; balances stay as they are.';

CREATE OR REPLACE VIEW ledger_balances AS
SELECT account, currency, sum(amount_minor)::bigint AS amount_minor
FROM ledger_counters GROUP BY account, currency;
COMMENT ON VIEW ledger_balances IS
    'The trial balance, as it is counted: sums to zero per currency.';

-- How far a proof of the books has come: what it read is added up, so that it can go on.
CREATE TABLE ledger_proofs (
    proof_id uuid PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    read_to uuid,
    entries bigint NOT NULL DEFAULT 0,
    wrong text[] NOT NULL DEFAULT '{}',
    ended_at timestamptz
);
COMMENT ON TABLE ledger_proofs IS
    'Proofs of the books by operators, window by window; begun_at and ended_at are system time.';
CREATE UNIQUE INDEX ledger_proofs_one_open ON ledger_proofs ((ended_at IS NULL))
WHERE ended_at IS NULL;
CREATE TABLE ledger_proof_sums (
    proof_id uuid NOT NULL REFERENCES ledger_proofs (proof_id),
    account text NOT NULL,
    mentor_id uuid,
    currency text NOT NULL,
    amount_minor numeric NOT NULL,
    CONSTRAINT ledger_proof_sums_once
    UNIQUE NULLS NOT DISTINCT (proof_id, account, mentor_id, currency)
);
COMMENT ON TABLE ledger_proof_sums IS 'What the entries come to that a proof has read.';

CREATE TABLE stripe_movements (
    movement_id text PRIMARY KEY,
    account_id text,
    payout_id text,
    type text NOT NULL,
    source text NOT NULL,
    amount_minor bigint NOT NULL,
    fee_minor bigint NOT NULL,
    currency text NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE stripe_movements IS
    'Balance transactions as Stripe lists them: the platform''s (account_id empty), and of connected accounts those that a payout pays out.';
CREATE INDEX stripe_movements_source ON stripe_movements (source) WHERE account_id IS NULL;
CREATE INDEX stripe_movements_payout ON stripe_movements (payout_id) WHERE payout_id IS NOT NULL;

CREATE TABLE movement_reads (
    list text PRIMARY KEY,
    account_id text,
    payout_id text,
    read_until timestamptz NOT NULL,
    read_at timestamptz,
    next_read_at timestamptz
);
COMMENT ON TABLE movement_reads IS
    'How far the platform''s balance transactions were read, and of which payouts; read_at is when the whole list was last read, and next_read_at is empty once a payout was read.';
CREATE INDEX movement_reads_next ON movement_reads (next_read_at) WHERE next_read_at IS NOT NULL;

-- Whoever posts or reads something about an object of Stripe asks whether both books agree on it.
CREATE TABLE ledger_questions (
    question_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ledger_questions IS
    'Objects of Stripe to compare with the ledger; asked_at is system time.';
INSERT INTO ledger_questions (source)
SELECT DISTINCT source FROM ledger_entries WHERE source IS NOT NULL;

CREATE TABLE stripe_differences (
    source text NOT NULL,
    currency text NOT NULL,
    ledger_minor bigint NOT NULL,
    stripe_minor bigint NOT NULL,
    fee_minor bigint NOT NULL,
    booked_at timestamptz,
    moved_at timestamptz,
    PRIMARY KEY (source, currency)
);
COMMENT ON TABLE stripe_differences IS
    'Objects of which the ledger and Stripe''s list say different amounts, as of the last question.';

CREATE FUNCTION named_differences(at timestamptz)
RETURNS TABLE (
    source text, currency text, ledger_minor bigint, stripe_minor bigint, since timestamptz,
    reason text
)
LANGUAGE sql STABLE SET search_path = payments, pg_temp AS $$
    SELECT
        d.source, d.currency, d.ledger_minor, d.stripe_minor, LEAST(d.booked_at, d.moved_at),
        CASE
            WHEN d.moved_at > at - interval '15 minutes' THEN 'not_booked_yet'
            WHEN
                d.moved_at IS NULL
                AND d.booked_at > COALESCE(r.read_at, '-infinity') - interval '15 minutes'
                THEN 'not_listed_yet'
            WHEN d.ledger_minor - d.stripe_minor = d.fee_minor
                AND d.moved_at > at - interval '1 day' THEN 'fee_not_known_yet'
            ELSE 'unexplained'
        END
    FROM stripe_differences AS d
    LEFT JOIN movement_reads AS r ON r.list = 'platform'
    UNION ALL
    SELECT
        p.stripe_payout_id, p.currency, p.amount_minor, m.carried, p.created_at, 'unexplained'
    FROM movement_reads AS r
    INNER JOIN payouts AS p ON p.stripe_payout_id = r.payout_id
    INNER JOIN (
        SELECT payout_id, currency, sum(amount_minor - fee_minor)::bigint AS carried
        FROM stripe_movements
        WHERE source <> payout_id
        GROUP BY payout_id, currency
    ) AS m ON m.payout_id = r.payout_id AND m.currency = p.currency
    WHERE r.read_at IS NOT NULL AND m.carried <> p.amount_minor
$$;
COMMENT ON FUNCTION named_differences IS
    'Every difference between the two books at a business instant, with what explains it: the news is young, the list was not read since, or the fee is not known yet. A payout differs when it is not the sum of what it pays out.';
GRANT EXECUTE ON FUNCTION named_differences TO ops_reader;

CREATE OR REPLACE VIEW in_flight AS
SELECT kind, subject, since FROM in_flight_purchases
UNION ALL
SELECT kind, subject, since FROM in_flight_transfers
UNION ALL
SELECT kind, subject, since FROM in_flight_disputes
UNION ALL
SELECT kind, subject, since FROM in_flight_credits
UNION ALL
SELECT kind, subject, since FROM in_flight_plans
UNION ALL
SELECT kind, subject, since FROM in_flight_documents
UNION ALL
SELECT 'compare_books', source, asked_at FROM ledger_questions;
