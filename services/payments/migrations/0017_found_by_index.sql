-- squawk-ignore-file prefer-robust-stmts, require-concurrent-index-creation, require-concurrent-index-deletion
-- What pages and loops ask for is found by an index; statements list payouts by when they ended.

CREATE INDEX offered_mentor ON offered (mentor_id);
CREATE INDEX orders_prepaid ON orders (mentee_id, order_id)
WHERE kind IN ('package', 'gift', 'sponsorship');
CREATE INDEX orders_booked ON orders (mentor_id, mentee_id)
WHERE kind = 'sessions' AND state = 'paid';
CREATE INDEX payouts_ended_at ON payouts (ended_at) WHERE ended_at IS NOT NULL;
DROP INDEX payouts_created_at;

CREATE OR REPLACE VIEW next_statement_month AS
SELECT
    first_at AS period_from,
    (first_at AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC' AS period_until
FROM (
    SELECT date_trunc('month', LEAST(
        (SELECT min(e.happened_at) FROM ledger_entries AS e WHERE e.happened_at >= done.until),
        (SELECT min(p.ended_at) FROM payouts AS p WHERE p.ended_at >= done.until)
    ), 'UTC') AS first_at
    FROM (
        SELECT COALESCE(max(period_until), '-infinity'::timestamptz) AS until
        FROM statement_months
    ) AS done
) AS months
WHERE first_at IS NOT NULL;
