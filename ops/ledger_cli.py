"""`ops ledger`: prove the books, follow the money of one session, add up a day."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from ops.config import OpsSettings
from ops.ledger import Moved, Story, balances, story_of
from ops.ledger_proof import prove
from ops.saga_cli import have_done
from ops.terminal import FOUND_WRONG, AsJson, Reason, out, print_json, run, who
from shared.config import load
from shared.deeds import Deed
from shared.money import Money, shown

DATE_ALONE = len("2026-01-31")

ledger = typer.Typer(no_args_is_help=True, help="The books: proofs, stories and balances.")


@ledger.command("verify")
def verify(
    as_json: AsJson = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="From the first entry, whatever was read before.")
    ] = False,
) -> None:
    """Prove every entry and balance; go on where an interrupted proof stopped; 1 if wrong."""

    def say(done: int, about: int) -> None:
        if not as_json:
            typer.echo(f"{done:,} of about {about:,} entries", err=True)

    proof = run(prove(load(OpsSettings).writing_url("payments"), say, afresh=afresh))
    if as_json:
        print_json({"ok": not proof.wrong, **vars(proof)})
    else:
        for each in proof.wrong:
            typer.echo(f"WRONG: {each}")
        resumed = f", {proof.resumed:,} of them before" if proof.resumed else ""
        verdict = f"{len(proof.wrong)} wrong" if proof.wrong else "ok"
        typer.echo(f"{proof.entries:,} entries read{resumed}; ledger: {verdict}")
    if proof.wrong:
        raise typer.Exit(FOUND_WRONG)


@ledger.command("show")
def show_story(
    subject: Annotated[UUID, typer.Argument(help="A session, or a whole order.")],
    as_json: AsJson = False,
) -> None:
    """Show the money of a session or order: each entry, and what Stripe's list says of it."""
    story = run(story_of(load(OpsSettings).reading_url(), subject))
    if as_json:
        print_json(story.fields())
    else:
        _tell(story)
    if not all(entry.balanced for entry in story.entries):
        raise typer.Exit(FOUND_WRONG)


@ledger.command("trial-balance")
def trial_balance(
    at: Annotated[
        str | None,
        typer.Option("--at", help="A date, to its end in UTC, or an instant with its offset."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the balance of every account, now or as of a date; end with 1 if they sum to more."""
    found = run(balances(load(OpsSettings).reading_url(), _instant(at) if at else None))
    if as_json:
        print_json([each.fields() for each in found])
    else:
        table = _table("account", "debit", "credit")
        for each in found:
            table.add_row(each.where, *_sides(each))
        out.print(table if found else "nothing was posted")
    sums: Counter[str] = Counter()
    for each in found:
        sums[each.currency] += each.minor
    if any(sums.values()):
        typer.echo(f"WRONG: does not sum to zero: {dict(sums)}", err=True)
        raise typer.Exit(FOUND_WRONG)


@ledger.command("book")
def book(
    source: Annotated[str, typer.Argument(help="The object of Stripe, as `verify` names it.")],
    account: Annotated[str, typer.Option("--to", help="outside_stripe, stripe_fees, …")],
    reason: Reason,
) -> None:
    """Book what Stripe says of an object and nothing explains; say in the reason who did it."""
    deed = Deed(who(), "book_difference", source, reason, None, {"account": account})
    have_done("payments", deed)


def _instant(text: str) -> datetime:
    """Return the instant before which everything counts."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write a date (2026-01-31) or an instant") from None
    if len(text) == DATE_ALONE:
        return datetime.combine(at.date() + timedelta(days=1), time(), UTC)
    if at.tzinfo is None:
        raise typer.BadParameter("an instant needs its offset, like +00:00")
    return at


def _tell(story: Story) -> None:
    table = _table("at", "entry", "account", "debit", "credit", "at Stripe")
    for entry in story.entries:
        heading = (f"{entry.at:%Y-%m-%d %H:%M}", entry.cause.split(":", 1)[0])
        for line in entry.lines:
            source = entry.source if line.where == "stripe_balance" else ""
            table.add_row(*heading, line.where, *_sides(line), source)
            heading = ("", "")
        table.add_section()
    for moved in story.left():
        table.add_row("", "left", moved.where, *_sides(moved), "")
    out.print(table if story.entries else "nothing was posted")
    listed = _table("at", "Stripe's list", "moved", "debit", "credit")
    for each in story.stripe:
        at = f"{each.at:%Y-%m-%d %H:%M}"
        listed.add_row(at, each.source, each.moved.where, *_sides(each.moved))
    out.print(listed if story.stripe else "Stripe's list was not read since")


def _table(*headings: str) -> Table:
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _sides(moved: Moved) -> tuple[str, str]:
    amount = shown(Money(abs(moved.minor), moved.currency))
    return (amount, "") if moved.minor > 0 else ("", amount)
