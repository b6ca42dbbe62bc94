"""`ops saga` and `ops audit`: one purchase's story, what is stuck, what operators do about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from ops.config import OpsSettings
from ops.saga import ask, debts_of, listed, log_of, saga_of, stuck_sagas
from ops.terminal import (
    FOUND_WRONG,
    AsJson,
    Reason,
    business_now,
    out,
    print_json,
    run,
    who,
)
from shared.config import load
from shared.contracts.topics import Service
from shared.deeds import DONE, Deed
from shared.saga import STUCK_AFTER, Wait

SHOWN_PARTS = 3
BASIS_POINTS_PER_PERCENT = 100

saga = typer.Typer(no_args_is_help=True, help="One purchase across the services.")
audit = typer.Typer(no_args_is_help=True, help="What operators did.")

OrderId = Annotated[UUID, typer.Argument(help="The order (purchase).")]
Percent = Annotated[
    int, typer.Option("--percent", min=0, max=100, help="Share of the price that goes back.")
]

SessionId = Annotated[
    UUID | None,
    typer.Option("--session", help="Which session of the order, where it has several."),
]

FailedId = Annotated[
    UUID | None, typer.Option("--refund", help="The refund that failed, as it was shown.")
]
FailedMinor = Annotated[
    int | None, typer.Option("--minor", min=1, help="Its amount in minor units, as it was shown.")
]


@saga.command("show")
def show(order_id: OrderId, as_json: AsJson = False) -> None:
    """Show every step of a purchase at every service, and who waits for what."""
    found = run(saga_of(load(OpsSettings).reading_url(), order_id))
    if as_json:
        print_json(found.fields())
        return
    steps = Table("at", "service", "kind", "what", "state", "details", title=f"order {order_id}")
    for service, step in found.steps:
        steps.add_row(
            f"{step.at:%Y-%m-%d %H:%M:%S}",
            service,
            step.kind,
            step.what,
            step.state,
            _words(step.details),
        )
    out.print(steps)
    _show_waits(found.waits)


@saga.command("stuck")
def show_stuck(
    as_json: AsJson = False,
    older: Annotated[
        int, typer.Option("--older", min=0, help="Seconds something must be late to count.")
    ] = int(STUCK_AFTER.total_seconds()),
) -> None:
    """Show purchases that wait for an operator or for something late; end with 1 if there are."""
    url = load(OpsSettings).reading_url()
    found = run(stuck_sagas(url, business_now(), timedelta(seconds=older)))
    if as_json:
        print_json(listed(found))
    else:
        _show_waits(found)
    if found:
        raise typer.Exit(FOUND_WRONG)


@saga.command("retry")
def retry(
    operation_id: Annotated[UUID, typer.Argument(help="The call to Stripe, as `show` names it.")],
    reason: Reason,
) -> None:
    """Have an open call to Stripe made now; an undetermined one is looked for first."""
    have_done("payments", Deed(who(), "retry_call", str(operation_id), reason))


@saga.command("release")
def release(order_id: OrderId, reason: Reason, session_id: SessionId = None) -> None:
    """Release held back earnings, or have a refused transfer tried again."""
    have_done("payments", _deed("release", order_id, reason, _named(session_id)))


@saga.command("refund")
def refund(
    order_id: OrderId,
    percent: Percent,
    reason: Reason,
    shown: Annotated[
        str | None,
        typer.Option(help="Mentee's, mentor's and platform's amount as shown: 1,2,3."),
    ] = None,
    session_id: SessionId = None,
) -> None:
    """Give a share of an ended session's price back; without --shown only show the amounts."""
    arguments = _named(session_id)
    arguments["refund_basis_points"] = percent * BASIS_POINTS_PER_PERCENT
    if shown is not None:
        arguments["shown"] = _amounts(shown)
    have_done("payments", _deed("refund", order_id, reason, arguments))


@saga.command("refund-credits")
def refund_credits(order_id: OrderId, reason: Reason) -> None:
    """Pay what is unused of a package, gift, sponsorship or month of a plan back to the card."""
    have_done("payments", _deed("refund_credits", order_id, reason))


@saga.command("issue-papers")
def issue_papers(order_id: OrderId, reason: Reason) -> None:
    """Have the papers of a purchase tried again that did not add up."""
    have_done("payments", _deed("issue_papers", order_id, reason))


@saga.command("debts")
def show_debts(as_json: AsJson = False) -> None:
    """List the mentors who got more than is left for them, and why Stripe took nothing back."""
    found = run(debts_of(load(OpsSettings).reading_url()))
    if as_json:
        print_json(found)
        return
    table = Table("mentor", "currency", "owed", "much", "since", "refused because")
    for row in found:
        table.add_row(*(str(value) for value in row.values()))
    out.print(table if found else "nobody owes anything")


@saga.command("reverse")
def reverse(
    mentor_id: Annotated[UUID, typer.Argument(help="The mentor, as `debts` names them.")],
    currency: Annotated[str, typer.Option("--currency", help="The currency of the debt.")],
    reason: Reason,
) -> None:
    """Ask Stripe once more for what a mentor's account did not hold."""
    deed = Deed(who(), "reverse_again", str(mentor_id), reason, None, {"currency": currency})
    have_done("payments", deed)


@saga.command("write-off")
def write_off(
    mentor_id: Annotated[UUID, typer.Argument(help="The mentor, as `debts` names them.")],
    currency: Annotated[str, typer.Option("--currency", help="The currency of the debt.")],
    amount_minor: Annotated[int, typer.Option("--minor", help="How much, in minor units.")],
    reason: Reason,
) -> None:
    """Let the platform bear what a mentor owes, or a part of it."""
    said = {"currency": currency, "amount_minor": amount_minor}
    have_done("payments", Deed(who(), "write_off", str(mentor_id), reason, None, said))


@saga.command("retry-refund")
def retry_refund(
    order_id: OrderId, reason: Reason, refund_id: FailedId = None, minor: FailedMinor = None
) -> None:
    """Ask Stripe once more for a failed refund; without --refund and --minor only show it."""
    have_done("payments", _deed("retry_refund", order_id, reason, _failed(refund_id, minor)))


@saga.command("paid-otherwise")
def paid_otherwise(
    order_id: OrderId, reason: Reason, refund_id: FailedId = None, minor: FailedMinor = None
) -> None:
    """Record that a failed refund is paid outside Stripe; say in the reason how.

    Without --refund and --minor only show it.
    """
    deed = _deed("refund_paid_otherwise", order_id, reason, _failed(refund_id, minor))
    have_done("payments", deed)


@saga.command("accept-dispute")
def accept_dispute(
    dispute: Annotated[str, typer.Argument(help="The dispute at Stripe, as `stuck` names it.")],
    reason: Reason,
) -> None:
    """Give a dispute up: the money stays with the card holder."""
    have_done("payments", Deed(who(), "accept_dispute", dispute, reason))


@saga.command("cancel")
def cancel(
    order_id: OrderId, percent: Percent, reason: Reason, session_id: SessionId = None
) -> None:
    """Call a session off with the share of the price that goes back; both sides read the reason."""
    arguments = _named(session_id)
    arguments["refund_basis_points"] = percent * BASIS_POINTS_PER_PERCENT
    have_done("booking", _deed("cancel", order_id, reason, arguments))


@audit.command("list")
def list_deeds(as_json: AsJson = False) -> None:
    """List the latest deeds of operators at all services, newest first."""
    found = run(log_of(load(OpsSettings).reading_url()))
    if as_json:
        print_json([{"service": service, **vars(deed)} for service, deed in found])
        return
    table = Table("at", "service", "who", "what", "subject", "outcome", "reason", "details")
    for service, deed in found:
        table.add_row(
            f"{deed.acted_at:%Y-%m-%d %H:%M:%S}",
            service,
            deed.who,
            deed.action,
            deed.subject,
            deed.outcome,
            deed.reason,
            _words(deed.details),
        )
    out.print(table if found else "none")


def _deed(
    action: str, order_id: UUID, reason: str, arguments: dict[str, Any] | None = None
) -> Deed:
    return Deed(who(), action, str(order_id), reason, order_id, arguments or {})


def _named(session_id: UUID | None) -> dict[str, Any]:
    return {"session_id": str(session_id)} if session_id else {}


def _failed(refund_id: UUID | None, minor: int | None) -> dict[str, Any]:
    if refund_id is None or minor is None:
        return {}
    return {"refund_id": str(refund_id), "amount_minor": minor}


def have_done(service: Service, deed: Deed) -> None:
    """Have the service do it; print what came of it, and end with 1 when it was not done."""
    answer = run(ask(load(OpsSettings).writing_url(service), deed))
    typer.echo(f"{answer.action} {answer.outcome}: {_words(answer.details)}")
    if answer.outcome != DONE:
        raise typer.Exit(FOUND_WRONG)


def _amounts(shown: str) -> list[int]:
    parts = shown.split(",")
    if len(parts) != SHOWN_PARTS or not all(part.strip().isdecimal() for part in parts):
        raise typer.BadParameter("write three amounts in minor units: mentee,mentor,platform")
    return [int(part) for part in parts]


def _show_waits(waits: list[tuple[Service, Wait]]) -> None:
    table = Table("order", "service", "waits until", "since", "due", "clock", "details")
    for service, wait in waits:
        table.add_row(
            str(wait.order_id),
            service,
            wait.waits_for,
            f"{wait.since:%Y-%m-%d %H:%M:%S}" if wait.since else "",
            f"{wait.due_at:%Y-%m-%d %H:%M:%S}" if wait.due_at else "",
            wait.clock,
            _words(wait.details),
        )
    out.print(table if waits else "nothing is waited for")


def _words(details: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in dict(details).items())
