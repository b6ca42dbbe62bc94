-- squawk-ignore-file require-concurrent-index-creation
-- Papers about money: receipts and credit notes under gapless numbers, and mentors' statements.

-- What the ledger posted of which somebody gets a document. Numbers are given later, one after the
-- other, so that no payment ever waits for a counter.
CREATE TABLE documents_wanted (
    wanted_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id uuid NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE documents_wanted IS
    'Postings of payments and refunds that have no document yet; since is system time.';
INSERT INTO documents_wanted (entry_id)
SELECT entry_id FROM ledger_entries
WHERE kind IN ('payment', 'refund_planned')
ORDER BY happened_at, entry_id;

CREATE TABLE document_counters (
    series text NOT NULL,
    year bigint NOT NULL,
    last_number bigint NOT NULL,
    PRIMARY KEY (series, year)
);
COMMENT ON TABLE document_counters IS
    'The last number of each series and year; the row''s lock is held until the document is stored.';

CREATE TABLE documents (
    document_id uuid PRIMARY KEY,
    series text NOT NULL CONSTRAINT documents_series_known CHECK (series IN ('R', 'C')),
    year bigint NOT NULL,
    number bigint NOT NULL CONSTRAINT documents_number_positive CHECK (number > 0),
    entry_id uuid NOT NULL CONSTRAINT documents_once_per_entry UNIQUE,
    order_id uuid NOT NULL,
    person_id uuid NOT NULL,
    amount_minor bigint NOT NULL CONSTRAINT documents_amount_positive CHECK (amount_minor > 0),
    currency text NOT NULL,
    issued_at timestamptz NOT NULL,
    content jsonb NOT NULL,
    CONSTRAINT documents_number_once UNIQUE (series, year, number)
);
COMMENT ON TABLE documents IS
    'Receipts (R) and credit notes (C), as they were issued; content is all that is printed.';
CREATE INDEX documents_person ON documents (person_id, document_id);
CREATE INDEX documents_order ON documents (order_id);
REVOKE UPDATE, DELETE, TRUNCATE ON documents FROM payments_app;

-- Months in UTC whose statements are made, or about to be.
CREATE TABLE statement_months (
    period_from timestamptz PRIMARY KEY,
    period_until timestamptz NOT NULL,
    closed_at timestamptz NOT NULL
);
COMMENT ON TABLE statement_months IS 'Months that are over and stated, in UTC.';

CREATE TABLE statements_wanted (
    mentor_id uuid NOT NULL,
    currency text NOT NULL,
    period_from timestamptz NOT NULL,
    period_until timestamptz NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mentor_id, currency, period_from)
);
COMMENT ON TABLE statements_wanted IS
    'Statements that are about to be made; since is system time.';

CREATE TABLE statements (
    statement_id uuid PRIMARY KEY,
    mentor_id uuid NOT NULL,
    currency text NOT NULL,
    period_from timestamptz NOT NULL,
    period_until timestamptz NOT NULL,
    opening_minor bigint NOT NULL,
    closing_minor bigint NOT NULL,
    made_at timestamptz NOT NULL,
    content jsonb NOT NULL,
    CONSTRAINT statements_once UNIQUE (mentor_id, currency, period_from)
);
COMMENT ON TABLE statements IS
    'What a mentor had with us at the beginning and at the end of a month, and everything between.';
REVOKE UPDATE, DELETE, TRUNCATE ON statements FROM payments_app;

CREATE INDEX ledger_lines_mentor ON ledger_lines (mentor_id, currency)
WHERE mentor_id IS NOT NULL;
CREATE INDEX payouts_created_at ON payouts (created_at);

CREATE VIEW next_statement_month AS
SELECT
    first_at AS period_from,
    (first_at AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC' AS period_until
FROM (
    SELECT date_trunc('month', LEAST(
        (SELECT min(e.happened_at) FROM ledger_entries AS e WHERE e.happened_at >= done.until),
        (SELECT min(p.created_at) FROM payouts AS p WHERE p.created_at >= done.until)
    ), 'UTC') AS first_at
    FROM (
        SELECT COALESCE(max(period_until), '-infinity'::timestamptz) AS until
        FROM statement_months
    ) AS done
) AS months
WHERE first_at IS NOT NULL;
COMMENT ON VIEW next_statement_month IS
    'The first month in which money moved and that is not stated yet; it need not be over.';

CREATE VIEW document_gaps AS
SELECT series, year, last_number, given, lowest, highest
FROM (
    SELECT
        c.series, c.year, c.last_number,
        count(d.document_id) AS given, min(d.number) AS lowest, max(d.number) AS highest
    FROM document_counters AS c
    LEFT JOIN documents AS d ON d.series = c.series AND d.year = c.year
    GROUP BY c.series, c.year, c.last_number
) AS counted
WHERE given <> last_number OR lowest <> 1 OR highest <> last_number;
COMMENT ON VIEW document_gaps IS
    'Series of a year whose numbers are not 1, 2, 3 … to the last; always empty.';

CREATE VIEW statement_differences AS
SELECT mentor_id, currency, period_from, moved_minor, stated_minor, opening_minor, before_minor
FROM (
    SELECT
        COALESCE(s.mentor_id, m.mentor_id) AS mentor_id,
        COALESCE(s.currency, m.currency) AS currency,
        COALESCE(s.period_from, m.period_from) AS period_from,
        s.statement_id,
        COALESCE(m.moved_minor, 0) AS moved_minor,
        s.closing_minor - s.opening_minor AS stated_minor,
        s.opening_minor,
        COALESCE(
            lag(s.closing_minor) OVER (
                PARTITION BY s.mentor_id, s.currency ORDER BY s.period_from
            ), 0
        ) AS before_minor
    FROM statements AS s
    FULL JOIN (
        SELECT
            l.mentor_id, l.currency,
            date_trunc('month', e.happened_at, 'UTC') AS period_from,
            -sum(l.amount_minor)::bigint AS moved_minor
        FROM ledger_lines AS l
        INNER JOIN ledger_entries AS e ON e.entry_id = l.entry_id
        WHERE l.mentor_id IS NOT NULL AND l.account IN ('mentor_payable', 'mentor_debt')
        GROUP BY l.mentor_id, l.currency, date_trunc('month', e.happened_at, 'UTC')
    ) AS m
        ON
            m.mentor_id = s.mentor_id AND m.currency = s.currency
            AND m.period_from = s.period_from
) AS both_ways
WHERE
    (statement_id IS NOT NULL AND (moved_minor <> stated_minor OR opening_minor <> before_minor))
    OR (
        statement_id IS NULL
        AND moved_minor <> 0
        AND period_from IN (SELECT c.period_from FROM statement_months AS c)
        AND NOT EXISTS (
            SELECT FROM statements_wanted AS w
            WHERE
                w.mentor_id = both_ways.mentor_id AND w.currency = both_ways.currency
                AND w.period_from = both_ways.period_from
        )
    );
COMMENT ON VIEW statement_differences IS
    'Statements that do not say what the ledger says of the month, or do not begin where the one before ended, and stated months without one; always empty.';

CREATE OR REPLACE VIEW due_documents AS
SELECT
    'close_month'::text AS kind, to_char(period_from AT TIME ZONE 'UTC', 'YYYY-MM') AS subject,
    period_until + interval '24 hours' AS due_at
FROM next_statement_month;

CREATE OR REPLACE VIEW in_flight_documents AS
SELECT 'document'::text AS kind, entry_id::text AS subject, since
FROM documents_wanted
UNION ALL
SELECT 'statement', mentor_id::text, since
FROM statements_wanted;

CREATE OR REPLACE VIEW saga_steps_documents AS
SELECT
    order_id, issued_at AS at, 'document'::text AS kind,
    CASE series WHEN 'R' THEN 'receipt' ELSE 'credit note' END AS what,
    format('%s-%s-%s', series, year, to_char(number, 'FM000000')) AS state,
    jsonb_build_object(
        'document_id', document_id, 'amount_minor', amount_minor, 'currency', currency
    ) AS details
FROM documents;
