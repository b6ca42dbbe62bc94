"""What operators watch of the money: calls nobody can decide, money that is stuck, the books.

The books are append-only and their entries are checked when they are written; here they are looked
over now and then, and `ops verify` proves them.
"""

from __future__ import annotations

from prometheus_client import Gauge

from shared.telemetry import REGISTRY, Measure

PAYS_OUT_BY_ITSELF = Gauge(
    "mentorium_payments_platform_pays_out_by_itself",
    "1 where the platform's own account is paid out by Stripe, as this worker read it last.",
    registry=REGISTRY,
)
BOOKS_EVERY_SECONDS = 60.0
"""The books are added up as a whole, which takes longer the more there is in them."""

UNDETERMINED_CALLS = """
SELECT count(*) AS value FROM operations WHERE state = 'undetermined'
"""
FAILING_CALLS = """
SELECT kind, count(*) AS value FROM operations
WHERE state IN ('planned', 'sent') AND attempts >= 5
GROUP BY kind
"""
LINES_OPEN = """
SELECT count(*) AS value FROM stripe_lines
WHERE state = 'open' AND told_at > now() - interval '1 minute'
"""
EVENTS_UNREAD = """
SELECT COALESCE(EXTRACT(epoch FROM $1::timestamptz - min(COALESCE(read_at, read_until))), 0)::float8
    AS value
FROM event_reads
"""
NOTICES_UNMATCHED = """
SELECT count(*) AS value FROM webhooks
WHERE state = 'unmatched' AND received_at > now() - interval '1 day'
"""
FAILED_REFUNDS = "SELECT count(*) AS value FROM refunds WHERE state = 'failed'"
DISPUTES_UNANSWERED = """
SELECT count(*) AS value FROM disputes
WHERE state = 'needs_response' AND due_by < $1::timestamptz + interval '3 days'
"""
REFUSED_TRANSFERS = """
SELECT count(*) AS value FROM earnings
WHERE transfer_state = 'refused' AND released_at IS NOT NULL
"""
PAPERS_PUT_ASIDE = "SELECT count(*) AS value FROM documents_wanted WHERE failed_at IS NOT NULL"
DEBTS_BEYOND_FLOOR = "SELECT count(*) AS value FROM debts WHERE beyond_floor"
OLDEST_PAID_WITHOUT_OUTCOME = """
SELECT COALESCE(EXTRACT(epoch FROM $1::timestamptz - min(paid_at)), 0)::float8 AS value
FROM paid_without_outcome
"""
BALANCES = "SELECT account, currency, amount_minor AS value FROM ledger_balances"
# Ids rise with time, so that only what was written lately is read.
UNBALANCED_ENTRIES = """
SELECT count(*) AS value FROM (
    SELECT entry_id FROM ledger_lines
    WHERE entry_id > (SELECT uuidv7(interval '-1 day'))
    GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0
) AS unbalanced
"""
CLEARING_LEFTOVERS = "SELECT count(*) AS value FROM clearing_leftovers"
DIFFERENCES = "SELECT reason, count(*) AS value FROM named_differences($1) GROUP BY reason"

GAUGES = (
    Measure(
        "mentorium_payments_undetermined_calls",
        "Calls to Stripe of which nobody can say whether they took effect.",
        UNDETERMINED_CALLS,
    ),
    Measure(
        "mentorium_payments_failing_calls",
        "Calls to Stripe that were tried five times or more and go on being tried.",
        FAILING_CALLS,
        ("kind",),
    ),
    Measure(
        "mentorium_payments_stripe_lines_open",
        "Workers that Stripe does not answer, whose calls wait.",
        LINES_OPEN,
    ),
    Measure(
        "mentorium_payments_events_unread_seconds",
        "How long the event list that is furthest behind was not read (business time).",
        EVENTS_UNREAD,
    ),
    Measure(
        "mentorium_payments_notices_unmatched",
        "Notices of Stripe that came within a day and are about nothing that we know.",
        NOTICES_UNMATCHED,
    ),
    Measure(
        "mentorium_payments_failed_refunds",
        "Refunds that came back: somebody is owed money.",
        FAILED_REFUNDS,
    ),
    Measure(
        "mentorium_payments_disputes_unanswered",
        "Disputes that are lost within three days unless they are answered (business time).",
        DISPUTES_UNANSWERED,
    ),
    Measure(
        "mentorium_payments_refused_transfers",
        "Earnings that are released and whose transfer Stripe refused.",
        REFUSED_TRANSFERS,
    ),
    Measure(
        "mentorium_payments_papers_put_aside",
        "Receipts and credit notes that cannot be made: somebody misses a paper.",
        PAPERS_PUT_ASIDE,
    ),
    Measure(
        "mentorium_payments_debts_beyond_floor",
        "Mentors who owe more than a floor, because money went back after they were paid.",
        DEBTS_BEYOND_FLOOR,
    ),
    Measure(
        "mentorium_payments_paid_without_outcome_seconds",
        "How long the oldest paid order waits for a session or a refund (business time).",
        OLDEST_PAID_WITHOUT_OUTCOME,
    ),
    Measure(
        "mentorium_ledger_balance_minor",
        "Balance of every account of the ledger in minor units; per currency they sum to zero.",
        BALANCES,
        ("account", "currency"),
        BOOKS_EVERY_SECONDS,
    ),
    Measure(
        "mentorium_stripe_differences",
        "Objects of which the ledger and Stripe's list say different amounts, by what explains it.",
        DIFFERENCES,
        ("reason",),
    ),
    Measure(
        "mentorium_ledger_unbalanced_entries",
        "Entries of the last day that do not sum to zero.",
        UNBALANCED_ENTRIES,
        every_seconds=BOOKS_EVERY_SECONDS,
    ),
    Measure(
        "mentorium_ledger_clearing_leftovers",
        "Clearing accounts that are not zero although their order is at rest.",
        CLEARING_LEFTOVERS,
        every_seconds=BOOKS_EVERY_SECONDS,
    ),
)
"""What the worker shows."""
