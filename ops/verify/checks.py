"""What is checked in the database: each check is a query whose rows are what is wrong.

Every query returns `subject` (what it is about) and `detail` (what is wrong with it). They run as
ops_reader in one REPEATABLE READ transaction over all schemas.
"""

from __future__ import annotations

from dataclasses import dataclass

from ops.verify.discounts import DISCOUNTS_DIFFER
from shared.contracts.topics import Service


@dataclass(frozen=True)
class Check:
    """One invariant; an `eventual` one may be broken for a while by work in flight."""

    name: str
    sql: str
    eventual: bool = False


TIME_SOLD_TWICE = """
SELECT one.person_id::text AS subject,
       format('sessions %s and %s overlap', one.session_id, other.session_id) AS detail
FROM booking.participations AS one
JOIN booking.participations AS other
  ON other.person_id = one.person_id AND other.during && one.during
 AND other.participation_id > one.participation_id
WHERE one.active AND other.active
"""
SEATS_AND_STATE = """
SELECT s.session_id::text AS subject, format('is %s with %s seats', s.state, count(p)) AS detail
FROM booking.orders AS o
JOIN booking.sessions AS s ON s.order_id = o.order_id
LEFT JOIN booking.participations AS p
  ON p.session_id = s.session_id AND p.active AND p.person_id IN (o.mentor_id, o.mentee_id)
 AND p.during @> tstzrange(s.starts_at, s.ends_at, '[)')
GROUP BY s.session_id
HAVING count(p) <> CASE
    WHEN s.state IN ('requested', 'offered', 'held', 'confirmed', 'completed', 'no_show') THEN 2
    ELSE 0
END
"""
COMPLETED_BEFORE_ITS_END = """
SELECT session_id::text AS subject,
       format('ends %s, completed %s', ends_at, completed_at) AS detail
FROM booking.sessions WHERE completed_at < ends_at
"""
ENTRY_UNBALANCED = """
SELECT e.entry_id::text AS subject,
       format('%s: %s %s', e.cause, COALESCE(sum(l.amount_minor), 0), l.currency) AS detail
FROM payments.ledger_entries AS e
LEFT JOIN payments.ledger_lines AS l ON l.entry_id = e.entry_id
GROUP BY e.entry_id, l.currency
HAVING count(l) = 0 OR sum(l.amount_minor) <> 0
"""
LEDGER_TOTAL = """
SELECT currency AS subject, format('sums to %s', sum(amount_minor)) AS detail
FROM payments.ledger_lines GROUP BY currency HAVING sum(amount_minor) <> 0
"""
CLEARING_LEFT_OVER = """
SELECT session_id::text AS subject,
       format('%s holds %s %s in a final state', account, amount_minor, currency) AS detail
FROM payments.clearing_leftovers
"""
EARNINGS_NOT_POSTED = """
SELECT n.session_id::text AS subject,
       format('%s: earned %s, posted %s', n.what, n.earned, COALESCE(p.posted, 0)) AS detail
FROM (
    SELECT e.session_id, 'payable to the mentor' AS what, 'mentor_payable' AS account,
           e.payable_minor + COALESCE(t.planned_minor, 0) AS earned
    FROM payments.earnings AS e
    LEFT JOIN payments.transfers_of_sessions AS t ON t.session_id = e.session_id
    UNION ALL
    SELECT session_id, 'revenue of the platform', 'platform_revenue',
           CASE WHEN released_at IS NULL THEN 0 ELSE platform_minor END
    FROM payments.earnings
) AS n
LEFT JOIN (
    SELECT session_id, account, -sum(amount_minor) AS posted
    FROM payments.session_lines GROUP BY session_id, account
) AS p ON p.session_id = n.session_id AND p.account = n.account
WHERE COALESCE(p.posted, 0) <> n.earned
"""
CALL_UNDETERMINED = """
SELECT operation_id::text AS subject,
       format('%s of %s: an operator must find out what Stripe did', kind, subject) AS detail
FROM payments.operations WHERE state = 'undetermined'
"""
DEAD_LETTER = """
SELECT event_id::text AS subject,
       format('{schema} could not handle it: %s %s', topic, error) AS detail
FROM {schema}.kept_events WHERE state = 'parked'
"""
OUTBOX_STUCK = """
SELECT event_id::text AS subject,
       format('{schema} has not published it since %s', recorded_at) AS detail
FROM {schema}.outbox
"""
PAID_WITHOUT_OUTCOME = """
SELECT s.session_id::text AS subject,
       format('paid, but booking says %s and %s is refunded', COALESCE(b.state, 'nothing'),
              COALESCE(r.refunded, 0)) AS detail
FROM payments.orders AS p
JOIN payments.sessions AS s ON s.order_id = p.order_id
LEFT JOIN booking.sessions AS b ON b.session_id = s.session_id AND b.order_id = p.order_id
LEFT JOIN booking.orders AS o ON o.order_id = b.order_id
LEFT JOIN (
    SELECT session_id, sum(amount_minor) AS refunded,
           -- Once the session is over, an operator may give back more.
           sum(amount_minor) FILTER (WHERE reason NOT IN ('operator', 'dispute')) AS by_rule,
           bool_or(reason <> 'dispute') AS by_us
    FROM (
        SELECT session_id, amount_minor + discount_minor AS amount_minor, reason
        FROM payments.refunds
        UNION ALL
        SELECT session_id, price_minor, 'dispute' FROM payments.dispute_takings
    ) AS gone
    GROUP BY session_id
) AS r ON r.session_id = s.session_id
WHERE p.state = 'paid'
  AND CASE
      WHEN b.state = 'confirmed' THEN COALESCE(r.by_us, false)
      WHEN b.state = 'lost' THEN COALESCE(r.refunded, 0) <> s.price_minor
      WHEN b.state = 'cancelled' AND o.confirmed_at IS NULL THEN true
      WHEN b.state NOT IN ('completed', 'cancelled', 'no_show') THEN true
      WHEN b.refund_basis_points = 10000 THEN COALESCE(r.refunded, 0) <> s.price_minor
      -- What a fraction comes to is rounded by the currency; it is never more than the fraction.
      WHEN b.state IS NOT NULL THEN
          COALESCE(r.by_rule, 0) * 10000 > s.price_minor * COALESCE(b.refund_basis_points, 0)
          -- It is less by no more than what rounds it, a whole unit of two decimals at most.
          OR s.price_minor * COALESCE(b.refund_basis_points, 0)
              - COALESCE(r.refunded, 0) * 10000 >= 10000 * 100
      ELSE true
  END
"""
PARTS_OF_PRICE = """
SELECT p.order_id::text AS subject,
       format('price %s, sessions %s', p.price_minor, sum(s.price_minor)) AS detail
FROM payments.orders AS p LEFT JOIN payments.sessions AS s ON s.order_id = p.order_id
WHERE p.kind = 'sessions'
GROUP BY p.order_id HAVING sum(s.price_minor) IS DISTINCT FROM p.price_minor
UNION ALL
SELECT s.session_id::text,
       format('price %s, retained %s, gone %s, refunded %s', s.price_minor,
              COALESCE(e.retained_minor, 0), COALESCE(e.gone_minor, 0), COALESCE(r.refunded, 0))
FROM payments.sessions AS s
JOIN payments.orders AS p ON p.order_id = s.order_id
LEFT JOIN payments.earnings AS e ON e.session_id = s.session_id
LEFT JOIN (
    SELECT session_id, sum(amount_minor) AS refunded
    FROM (
        SELECT session_id, amount_minor + discount_minor AS amount_minor FROM payments.refunds
        UNION ALL
        SELECT session_id, price_minor FROM payments.dispute_takings
    ) AS gone
    GROUP BY session_id
) AS r ON r.session_id = s.session_id
WHERE p.state = 'paid'
  AND s.price_minor > 0
  AND (e.retained_minor IS DISTINCT FROM GREATEST(s.price_minor - e.gone_minor, 0)
       OR e.gone_minor <> COALESCE(r.refunded, 0))
"""
CREDITS_DIFFER = """
SELECT order_id::text AS subject,
       format('unused credits are worth %s, the ledger keeps %s %s', worth_minor, posted_minor,
              currency) AS detail
FROM payments.credits_leftovers
"""
PLAN_MONTH_DIFFERS = """
SELECT order_id::text AS subject,
       format('a purchase by a plan is %s and no paid invoice is known for it', state) AS detail
FROM payments.plan_leftovers
"""
DISPUTE_DIFFERS = """
SELECT m.dispute_id AS subject,
       format('moved %s %s, posted %s', sum(m.amount_minor - m.fee_minor), m.currency,
              COALESCE(max(l.posted), 0)) AS detail
FROM payments.dispute_movements AS m
LEFT JOIN (
    SELECT e.source, l.currency, sum(l.amount_minor) AS posted
    FROM payments.ledger_entries AS e
    JOIN payments.ledger_lines AS l ON l.entry_id = e.entry_id
    WHERE l.account = 'stripe_balance' GROUP BY e.source, l.currency
) AS l ON l.source = m.dispute_id AND l.currency = m.currency
GROUP BY m.dispute_id, m.currency
HAVING sum(m.amount_minor - m.fee_minor) <> COALESCE(max(l.posted), 0)
UNION ALL
SELECT dispute_id, format('%s, but %s is away', state, amount_minor)
FROM payments.dispute_leftovers
"""
CONFIRMED_WITHOUT_PAYMENT = """
SELECT b.order_id::text AS subject,
       format('%s, but its payment is %s', b.state, COALESCE(p.state, 'unknown')) AS detail
FROM booking.orders AS b
LEFT JOIN payments.orders AS p ON p.order_id = b.order_id
WHERE b.state IN ('confirmed', 'completed', 'no_show') AND p.state IS DISTINCT FROM 'paid'
"""
DECISION_NOT_HEARD = """
SELECT b.session_id::text AS subject,
       format('booking says %s, payments heard %s', b.state, COALESCE(s.decision, 'nothing'))
           AS detail
FROM booking.sessions AS b
JOIN booking.orders AS o ON o.order_id = b.order_id
LEFT JOIN payments.sessions AS s ON s.session_id = b.session_id AND s.order_id = b.order_id
WHERE s.decision IS DISTINCT FROM CASE
          -- What is called off before it is paid is told as a hold that ended.
          WHEN b.state = 'cancelled' AND o.confirmed_at IS NULL THEN 'expired'
          ELSE b.state
      END
  AND b.state NOT IN ('requested', 'offered', 'declined', 'lapsed')
UNION ALL
SELECT b.session_id::text,
       CASE WHEN s.objected_at IS NULL THEN 'payments did not hear of the objection'
            ELSE 'payments did not hear that the objection was settled' END
FROM booking.sessions AS b
JOIN payments.sessions AS s ON s.session_id = b.session_id
JOIN payments.earnings AS e ON e.session_id = b.session_id
WHERE e.released_at IS NULL
  AND (b.objection IS NOT NULL AND b.objection ->> 'settled_at' IS NULL)
      <> (s.objected_at IS NOT NULL)
UNION ALL
SELECT b.session_id::text, format('released %s, while it was objected to', e.released_at)
FROM booking.sessions AS b
JOIN payments.earnings AS e ON e.session_id = b.session_id
WHERE e.released_at > (b.objection ->> 'raised_at')::timestamptz
  AND e.released_at < COALESCE((b.objection ->> 'settled_at')::timestamptz, 'infinity')
"""
TRANSFER_UNRECORDED = """
SELECT COALESCE(t.session_id, l.session_id)::text AS subject,
       format('sent %s and posted %s, netted %s and posted %s, reversed %s and posted %s',
              t.sent_minor, l.sent, t.netted_minor, l.netted, t.reversed_minor, l.reversed)
           AS detail
FROM payments.transfers_of_sessions AS t
FULL JOIN (
    SELECT l.session_id, sum(l.amount_minor) FILTER (WHERE t.kind = 'transfer') AS sent,
           sum(l.amount_minor) FILTER (WHERE t.kind = 'netting') AS netted,
           -sum(l.amount_minor) FILTER (WHERE t.kind = 'reversal') AS reversed
    FROM payments.session_lines AS l
    JOIN payments.ledger_entries AS t ON t.entry_id = l.entry_id
    WHERE (t.kind IN ('transfer', 'netting') AND l.account = 'mentor_payable')
       OR (t.kind = 'reversal' AND l.account = 'mentor_debt')
    GROUP BY l.session_id
) AS l ON l.session_id = t.session_id
WHERE (COALESCE(t.sent_minor, 0), COALESCE(t.netted_minor, 0), COALESCE(t.reversed_minor, 0))
   <> (COALESCE(l.sent, 0), COALESCE(l.netted, 0), COALESCE(l.reversed, 0))
UNION ALL
SELECT transfer_id::text, format('%s, and its reversals come to %s', reversed_minor, (
    SELECT sum(r.amount_minor) FROM payments.reversals AS r
    WHERE r.transfer_id = t.transfer_id AND r.state = 'done'
))
FROM payments.transfers AS t
WHERE t.reversed_minor <> COALESCE((
    SELECT sum(r.amount_minor) FROM payments.reversals AS r
    WHERE r.transfer_id = t.transfer_id AND r.state = 'done'
), 0) OR (t.state = 'sent') <> (t.stripe_transfer_id IS NOT NULL)
"""
DEBT_DIFFERS = """
SELECT COALESCE(d.mentor_id, l.mentor_id)::text AS subject,
       format('owes %s, posted %s %s', d.owed_minor, l.posted, COALESCE(d.currency, l.currency))
           AS detail
FROM payments.debts AS d
FULL JOIN (
    SELECT mentor_id, currency, sum(amount_minor) AS posted FROM payments.ledger_lines
    WHERE account = 'mentor_debt' GROUP BY mentor_id, currency
) AS l ON l.mentor_id = d.mentor_id AND l.currency = d.currency
WHERE COALESCE(d.owed_minor, 0) <> COALESCE(l.posted, 0)
"""
PEOPLE_BEHIND = """
SELECT p.person_id::text AS subject,
       format('version %s of profiles, %s at booking', p.version, COALESCE(b.version, 0)) AS detail
FROM profiles.people AS p
LEFT JOIN booking.people AS b ON b.person_id = p.person_id
WHERE b.version IS DISTINCT FROM p.version
"""
ACCOUNTS_BEHIND = """
SELECT a.mentor_id::text AS subject,
       format('version %s of payments, %s at booking', a.version, COALESCE(b.version, 0)) AS detail
FROM payments.accounts AS a
LEFT JOIN booking.accounts AS b ON b.mentor_id = a.mentor_id
WHERE a.version > 0 AND b.version IS DISTINCT FROM a.version
"""
NEXT_FREE_AMISS = """
SELECT mentor_id::text AS subject, amiss AS detail
FROM booking.openings WHERE amiss IS NOT NULL
UNION ALL
SELECT o.mentor_id::text, 'sells, but nobody looked when there is time'
FROM booking.offerings AS o
JOIN booking.people AS p ON p.person_id = o.mentor_id AND p.mentor_state = 'approved'
LEFT JOIN booking.openings AS f ON f.mentor_id = o.mentor_id
WHERE o.state = 'published' AND f.mentor_id IS NULL
GROUP BY o.mentor_id
"""
NEXT_FREE_BEHIND = """
SELECT b.mentor_id::text AS subject,
       format('version %s of booking, %s at profiles', b.version, COALESCE(p.version, 0)) AS detail
FROM booking.openings AS b
LEFT JOIN profiles.openings AS p ON p.mentor_id = b.mentor_id
WHERE b.version > 0 AND p.version IS DISTINCT FROM b.version
"""
COUNTERS_OFF = """
SELECT format('%s %s', account, COALESCE(mentor_id::text, 'of nobody')) AS subject,
       format('counted %s, entries say %s %s', sum(counted), sum(posted), currency) AS detail
FROM (
    SELECT account, mentor_id, currency, amount_minor AS counted, 0 AS posted
    FROM payments.ledger_counters
    UNION ALL
    SELECT account, mentor_id, currency, 0, amount_minor FROM payments.ledger_lines
) AS both_ways
GROUP BY account, mentor_id, currency HAVING sum(counted) <> sum(posted)
"""
DOCUMENT_GAPS = """
SELECT format('%s-%s', series, year) AS subject,
       format('%s numbers from %s to %s, counted to %s', given, lowest, highest, last_number)
           AS detail
FROM payments.document_gaps
"""
STATEMENT_DIFFERS = """
SELECT mentor_id::text AS subject,
       format('month of %s: stated %s and posted %s, began with %s after %s %s', period_from,
              stated_minor, moved_minor, opening_minor, before_minor, currency) AS detail
FROM payments.statement_differences
"""
IN_FLIGHT = """
SELECT kind, subject, since FROM {schema}.in_flight ORDER BY since LIMIT $1
"""
LEDGER_BALANCES = """
SELECT account, currency, amount_minor FROM payments.ledger_balances ORDER BY account, currency
"""
STRIPE_SIDE_OF_LEDGER = """
SELECT COALESCE(e.source, e.cause) AS source, l.currency,
       sum(l.amount_minor)::bigint AS amount_minor
FROM payments.ledger_lines AS l
JOIN payments.ledger_entries AS e ON e.entry_id = l.entry_id
WHERE l.account = 'stripe_balance'
GROUP BY COALESCE(e.source, e.cause), l.currency
"""
"""Every entry names Stripe's object that shows it; one that does not is named by its cause."""


def checks_of(services: tuple[Service, ...]) -> tuple[Check, ...]:
    """Return every check of the database; the last ones exist once per service."""
    return (
        Check("time sold twice", TIME_SOLD_TWICE),
        Check("seats do not match the state", SEATS_AND_STATE),
        Check("completed before its end", COMPLETED_BEFORE_ITS_END),
        Check("ledger entry does not balance", ENTRY_UNBALANCED),
        Check("ledger does not sum to zero", LEDGER_TOTAL),
        Check("balances and entries differ", COUNTERS_OFF),
        Check("clearing account not zero", CLEARING_LEFT_OVER),
        Check("earnings and ledger differ", EARNINGS_NOT_POSTED),
        Check("price and its parts differ", PARTS_OF_PRICE),
        Check("codes and discounts differ", DISCOUNTS_DIFFER),
        Check("credits and ledger differ", CREDITS_DIFFER),
        Check("a plan's month without an invoice", PLAN_MONTH_DIFFERS),
        Check("transfer and ledger differ", TRANSFER_UNRECORDED),
        Check("debt and ledger differ", DEBT_DIFFERS),
        Check("dispute and ledger differ", DISPUTE_DIFFERS),
        Check("numbers of documents have a gap", DOCUMENT_GAPS),
        Check("statement and ledger differ", STATEMENT_DIFFERS),
        Check("call undetermined", CALL_UNDETERMINED),
        *(Check("dead letter", DEAD_LETTER.format(schema=each)) for each in services),
        *(Check("outbox stuck", OUTBOX_STUCK.format(schema=each), True) for each in services),
        Check("paid without session or refund", PAID_WITHOUT_OUTCOME, eventual=True),
        Check("session without payment", CONFIRMED_WITHOUT_PAYMENT, eventual=True),
        Check("decision not heard", DECISION_NOT_HEARD, eventual=True),
        Check("people behind at booking", PEOPLE_BEHIND, eventual=True),
        Check("accounts behind at booking", ACCOUNTS_BEHIND, eventual=True),
        Check("next free start is another", NEXT_FREE_AMISS, eventual=True),
        Check("next free start behind at profiles", NEXT_FREE_BEHIND, eventual=True),
    )
