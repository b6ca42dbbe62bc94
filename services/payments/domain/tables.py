"""Statements and yearly summaries as tables for spreadsheets (RFC 4180). Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from services.payments.domain.statements import PaidOut, Quarter, Statement
from shared.money import decimals

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula."""

_STATEMENT = (
    "at", "what", "session", "order_id", "session_id", "price", "given_back", "fees",
    "kept_for_debt", "amount", "balance", "currency",
)  # fmt: skip
_SUMMARY = ("quarter", "currency", "sessions", "gross", "refunds", "fees", "net")


def statement_csv(statement: Statement) -> str:
    """Return every movement of a statement with the balance after it, and the payouts below."""
    currency, balance, period = statement.currency, statement.opening_minor, statement.period
    rows: list[Sequence[object]] = [
        (period.since.isoformat(), "Opening balance", *[""] * 8, plain(balance, currency), currency)
    ]
    for each in statement.month.movements:
        balance += each.amount_minor
        rows.append(
            (
                each.at.isoformat(),
                each.words,
                text(each.title or ""),
                each.order_id or "",
                each.session_id or "",
                _perhaps(each.price_minor, currency),
                _perhaps(each.given_back_minor, currency),
                _perhaps(each.fee_minor, currency),
                plain(each.kept_minor, currency) if each.kept_minor else "",
                plain(each.amount_minor, currency),
                plain(balance, currency),
                currency,
            )
        )
    rows.append(
        (period.until.isoformat(), "Closing balance", *[""] * 8, plain(balance, currency), currency)
    )
    rows += [
        (
            each.ended_at.isoformat(),
            of_payout(each, plain(each.amount_minor, currency)),
            *[""] * 7,
            plain(each.paid_minor, currency),
            "",
            currency,
        )
        for each in statement.month.payouts
    ]
    return _written(_STATEMENT, rows)


def _perhaps(minor: int | None, currency: str) -> str:
    return "" if minor is None else plain(minor, currency)


def of_payout(payout: PaidOut, amount: str) -> str:
    """Return what became of a payout of an amount, in words."""
    if payout.state == "paid":
        return f"Paid out to your bank ({payout.payout_id})"
    end = "returned by the bank" if payout.returned else "failed"
    return f"Payout of {amount} {end} ({payout.payout_id})"


def summary_csv(quarters: Iterable[Quarter]) -> str:
    """Return the quarters of a year."""
    rows = [
        (
            f"{each.since.year}-Q{each.number}",
            each.currency,
            each.sessions,
            plain(each.gross_minor, each.currency),
            plain(each.refunds_minor, each.currency),
            plain(each.fees_minor, each.currency),
            plain(each.net_minor, each.currency),
        )
        for each in quarters
    ]
    return _written(_SUMMARY, rows)


def plain(minor: int, currency: str) -> str:
    """Return an amount as a number with the digits of its currency."""
    digits = decimals(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"


def text(words: str) -> str:
    """Return words that somebody wrote so that no spreadsheet computes them."""
    return f"'{words}" if words.startswith(FORMULA) else words


def _written(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(head)
    writer.writerows(rows)
    return file.getvalue()
