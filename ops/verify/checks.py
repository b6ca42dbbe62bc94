"""What is checked in the database: each check is a query whose rows are what is wrong.

Every query returns `subject` (what it is about) and `detail` (what is wrong with it). They run as
ops_reader in one REPEATABLE READ transaction over all schemas.
"""

from __future__ import annotations

from dataclasses import dataclass

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
SELECT order_id::text AS subject,
       format('%s holds %s %s in a final state', account, amount_minor, currency) AS detail
FROM payments.clearing_leftovers
"""
EARNINGS_NOT_POSTED = """
SELECT n.order_id::text AS subject,
       format('%s: earned %s, posted %s', n.what, n.earned, COALESCE(p.posted, 0)) AS detail
FROM (
    SELECT order_id, 'payable to the mentor' AS what, 'mentor_payable' AS account,
           CASE WHEN released_at IS NULL OR transfer_state = 'sent' THEN 0
                ELSE mentor_minor END AS earned
    FROM payments.earnings
    UNION ALL
    SELECT order_id, 'revenue of the platform', 'platform_revenue',
           CASE WHEN released_at IS NULL THEN 0 ELSE platform_minor END
    FROM payments.earnings
) AS n
LEFT JOIN (
    SELECT order_id, account, -sum(amount_minor) AS posted
    FROM payments.ledger_lines GROUP BY order_id, account
) AS p ON p.order_id = n.order_id AND p.account = n.account
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
SELECT p.order_id::text AS subject,
       format('paid, but booking says %s and %s is refunded',
              COALESCE(b.state, 'nothing'), COALESCE(r.amount_minor, 0)) AS detail
FROM payments.orders AS p
LEFT JOIN (
    SELECT o.order_id, o.state, s.refund_basis_points
    FROM booking.orders AS o JOIN booking.sessions AS s ON s.order_id = o.order_id
) AS b ON b.order_id = p.order_id
LEFT JOIN payments.refunds AS r ON r.order_id = p.order_id
WHERE p.state = 'paid'
  AND CASE
      WHEN b.state = 'confirmed' THEN r.order_id IS NOT NULL
      -- Once the session is over, an operator may give back what was not given out yet.
      WHEN b.state = 'completed' THEN r.reason <> 'operator'
      WHEN b.state = 'lost' THEN r.amount_minor IS DISTINCT FROM p.price_minor
      WHEN b.state = 'cancelled' AND b.refund_basis_points = 10000
          THEN r.amount_minor IS DISTINCT FROM p.price_minor
      WHEN b.state = 'cancelled' AND b.refund_basis_points = 0 THEN r.reason <> 'operator'
      -- What a fraction comes to is rounded by the currency; it is never more than the fraction.
      WHEN b.state = 'cancelled' THEN
          COALESCE(r.amount_minor, 0) * 10000 > p.price_minor * b.refund_basis_points
          OR (r.order_id IS NULL AND p.price_minor * b.refund_basis_points >= 10000 * 100)
      ELSE true
  END
"""
PARTS_OF_PRICE = """
SELECT p.order_id::text AS subject,
       format('price %s, retained %s, refunded %s', p.price_minor, COALESCE(e.retained_minor, 0),
              COALESCE(r.amount_minor, 0)) AS detail
FROM payments.orders AS p
LEFT JOIN payments.earnings AS e ON e.order_id = p.order_id
LEFT JOIN payments.refunds AS r ON r.order_id = p.order_id
WHERE p.state = 'paid'
  AND COALESCE(e.retained_minor, 0) + COALESCE(r.amount_minor, 0) <> p.price_minor
"""
CONFIRMED_WITHOUT_PAYMENT = """
SELECT b.order_id::text AS subject,
       format('%s, but its payment is %s', b.state, COALESCE(p.state, 'unknown')) AS detail
FROM booking.orders AS b
LEFT JOIN payments.orders AS p ON p.order_id = b.order_id
WHERE b.state IN ('confirmed', 'completed') AND p.state IS DISTINCT FROM 'paid'
"""
DECISION_NOT_HEARD = """
SELECT b.order_id::text AS subject,
       format('booking says %s, payments heard %s', b.state, COALESCE(p.decision, 'nothing'))
           AS detail
FROM booking.orders AS b
LEFT JOIN payments.orders AS p ON p.order_id = b.order_id
WHERE p.decision IS DISTINCT FROM b.state
  AND b.state NOT IN ('requested', 'offered', 'declined', 'lapsed')
"""
TRANSFER_UNRECORDED = """
SELECT e.order_id::text AS subject,
       format('transfer is %s, posted %s', e.transfer_state, COALESCE(l.posted, 0)) AS detail
FROM payments.earnings AS e
LEFT JOIN (
    SELECT l.order_id, -sum(l.amount_minor) AS posted
    FROM payments.ledger_lines AS l
    JOIN payments.ledger_entries AS t ON t.entry_id = l.entry_id AND t.kind = 'transfer'
    WHERE l.account = 'stripe_balance'
    GROUP BY l.order_id
) AS l ON l.order_id = e.order_id
WHERE COALESCE(l.posted, 0) <> CASE WHEN e.transfer_state = 'sent' THEN e.mentor_minor ELSE 0 END
   OR (e.transfer_state = 'sent') <> (e.stripe_transfer_id IS NOT NULL)
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
IN_FLIGHT = """
SELECT kind, subject, since FROM {schema}.in_flight ORDER BY since LIMIT $1
"""
LEDGER_BALANCES = """
SELECT account, currency, amount_minor FROM payments.ledger_balances ORDER BY account, currency
"""
STRIPE_SIDE_OF_LEDGER = """
SELECT source, currency, sum(amount_minor)::bigint AS amount_minor
FROM (
    SELECT CASE
               WHEN e.kind IN ('payment', 'stripe_fee') THEN o.charge_id
               WHEN e.kind IN ('refund_settled', 'refund_failed') THEN r.stripe_refund_id
               WHEN e.kind = 'transfer' THEN n.stripe_transfer_id
           END AS stripe_id,
           e.cause, l.currency, l.amount_minor
    FROM payments.ledger_lines AS l
    JOIN payments.ledger_entries AS e ON e.entry_id = l.entry_id
    LEFT JOIN payments.orders AS o ON o.order_id = l.order_id
    LEFT JOIN payments.refunds AS r ON r.order_id = l.order_id
    LEFT JOIN payments.earnings AS n ON n.order_id = l.order_id
    WHERE l.account = 'stripe_balance'
) AS lines
CROSS JOIN LATERAL (SELECT COALESCE(stripe_id, cause) AS source) AS named
GROUP BY source, currency
"""


def checks_of(services: tuple[Service, ...]) -> tuple[Check, ...]:
    """Return every check of the database; the last ones exist once per service."""
    return (
        Check("time sold twice", TIME_SOLD_TWICE),
        Check("seats do not match the state", SEATS_AND_STATE),
        Check("completed before its end", COMPLETED_BEFORE_ITS_END),
        Check("ledger entry does not balance", ENTRY_UNBALANCED),
        Check("ledger does not sum to zero", LEDGER_TOTAL),
        Check("clearing account not zero", CLEARING_LEFT_OVER),
        Check("earnings and ledger differ", EARNINGS_NOT_POSTED),
        Check("price and its parts differ", PARTS_OF_PRICE),
        Check("transfer and ledger differ", TRANSFER_UNRECORDED),
        Check("call undetermined", CALL_UNDETERMINED),
        *(Check("dead letter", DEAD_LETTER.format(schema=each)) for each in services),
        *(Check("outbox stuck", OUTBOX_STUCK.format(schema=each), True) for each in services),
        Check("paid without session or refund", PAID_WITHOUT_OUTCOME, eventual=True),
        Check("session without payment", CONFIRMED_WITHOUT_PAYMENT, eventual=True),
        Check("decision not heard", DECISION_NOT_HEARD, eventual=True),
        Check("people behind at booking", PEOPLE_BEHIND, eventual=True),
        Check("accounts behind at booking", ACCOUNTS_BEHIND, eventual=True),
    )
