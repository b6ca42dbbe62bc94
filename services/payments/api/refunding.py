"""What operators give back of a session, released or not, and what mentors then owe."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.payments.api.cursors import uuid_and_text
from services.payments.commands import mending as commands
from services.payments.commands.recovery import consequences_of
from services.payments.domain.mending import (
    AmountsOutdated,
    NothingToRefund,
    NothingToReverse,
    NotRefundable,
    RefundNotInSteps,
    RefundTooMuch,
    WriteOffNotInSteps,
    WriteOffTooMuch,
    amount_back,
    may_refund,
)
from services.payments.domain.orders import SessionUnnamed
from services.payments.domain.outcomes import by_card_of
from services.payments.store import orders as order_store
from services.payments.store import outcomes as outcome_store
from services.payments.store import transfers as store
from shared.auth import Role
from shared.contracts.common import BasisPoints, CurrencyCode, Minor
from shared.db import Connection
from shared.deeds import Deed
from shared.errors import NotFound
from shared.web import Api, Call, Page, PageQuery, Query, View, WholeNumber
from shared.web.operators import DeedDone, Reasoned, do

ACCEPTED = 202
HISTORY_AT_MOST = 50
"""How many of the steps of a debt a mentor is shown."""

_WHY = {
    "refund_planned": "Given back to the mentee after you were paid.",
    "credit_returned": "The mentee's credit came back after you were paid.",
    "dispute_withdrawn": "The mentee's bank took the money back after you were paid.",
    "reversal": "Taken back from your Stripe account.",
    "netting": "Kept from a later share.",
    "debt_written_off": "Written off: you do not owe it any more.",
    "debt_owed_again": "Owed again: the share that it had been written off of came back to you.",
}


class WantedQuery(Query):
    """A fraction of the price in all, or an amount of it now; the session where there are more."""

    refund_basis_points: BasisPoints | None = None
    amount_minor: Annotated[WholeNumber, Field(ge=1)] | None = None
    session_id: UUID | None = None


class Consequences(View):
    """What a refund would do: who has what in all then, and who gives how much of it back.

    `price_back_minor` is what goes back of the price, which is what a refund asks for. What a code
    took off goes back to whoever gave it; `back_minor` goes back to the mentee.

    Of what the mentor gives, `from_payable_minor` was not transferred yet; the rest is owed, and of
    that `reversible_minor` can be asked back of the session's transfers.
    """

    back_minor: Minor
    price_back_minor: Minor
    mentee_minor: Minor
    mentor_minor: Minor
    platform_minor: Minor
    mentor_gives_minor: Minor
    platform_gives_minor: int
    from_payable_minor: Minor
    owed_minor: Minor
    reversible_minor: Minor
    currency: CurrencyCode


class RefundBody(Reasoned):
    """A refund with the amounts shown for it: a fraction of the price in all, or an amount now."""

    session_id: UUID | None = None
    refund_basis_points: Annotated[WholeNumber, Field(ge=1, le=10_000)] | None = None
    amount_minor: Annotated[WholeNumber, Field(ge=1)] | None = None
    shown_mentee_minor: WholeNumber
    shown_mentor_minor: WholeNumber
    shown_platform_minor: WholeNumber


class DebtView(View):
    """A mentor who owes; `refusal` is why Stripe did not take it back from the account.

    At `asked_again_at` Stripe is asked by itself; without it, only when an operator has it asked.
    """

    mentor_id: UUID
    currency: CurrencyCode
    owed_minor: Minor
    since: datetime
    beyond_floor: bool
    refusal: str | None
    asked_again_at: datetime | None


class ReverseBody(Reasoned):
    """Why, and in which currency."""

    currency: CurrencyCode


class WriteOffBody(ReverseBody):
    """How much of what is owed the platform bears."""

    amount_minor: Annotated[WholeNumber, Field(ge=1)]


class OwedView(View):
    """What a mentor owes in a currency; `asked_minor` of it Stripe is taking back now."""

    currency: CurrencyCode
    owed_minor: Minor
    asked_minor: Minor
    since: datetime


class DebtStepView(View):
    """What made a debt more, or less where the amount is negative."""

    at: datetime
    words: str
    amount_minor: int
    currency: CurrencyCode
    order_id: UUID | None
    session_id: UUID | None
    title: str | None


class OwingView(View):
    """What a mentor owes, and what made it so, newest first."""

    owed: list[OwedView]
    steps: list[DebtStepView]


def add_routes(api: Api) -> None:
    """Declare the routes about refunds by operators, and about debts."""
    operator = Role.OPERATOR
    refused = (NotFound, SessionUnnamed, NotRefundable, NothingToRefund, RefundTooMuch,
               RefundNotInSteps)  # fmt: skip
    path = "/v1/operator/orders/{order_id}"
    api.get(f"{path}/refund-preview", may=operator, refusals=refused)(preview)
    api.post(
        f"{path}/refund",
        may=operator,
        idempotent=True,
        status=ACCEPTED,
        refusals=(*refused, AmountsOutdated),
    )(refund)
    api.get("/v1/operator/debts", may=operator)(list_debts)
    api.post(
        "/v1/operator/mentors/{mentor_id}/debt/reverse",
        may=operator,
        idempotent=True,
        status=ACCEPTED,
        refusals=(NothingToReverse,),
    )(reverse)
    api.post(
        "/v1/operator/debts/{mentor_id}/write-off",
        may=operator,
        idempotent=True,
        status=ACCEPTED,
        refusals=(WriteOffTooMuch, WriteOffNotInSteps),
    )(write_off)
    api.get("/v1/me/debts", may=Role.MENTOR)(show_debts)


async def preview(call: Call, order_id: UUID, query: WantedQuery, conn: Connection) -> Consequences:
    """Show what a refund would do to mentee, mentor and platform."""
    del call
    order = await order_store.load_order(conn, order_id)
    if order is None:
        raise NotFound
    session = order.session(query.session_id)
    earnings = await outcome_store.load_earnings(conn, session.session_id)
    if earnings is None or not may_refund(order, session, earnings):
        raise NotRefundable
    back = amount_back(session, earnings, query.refund_basis_points, query.amount_minor)
    left, sides, reversible = await consequences_of(conn, order, session, earnings, back)
    by_card = by_card_of(session, earnings, back)
    return Consequences(
        back_minor=by_card.minor,
        price_back_minor=back.minor,
        mentee_minor=(earnings.gone_by_card + by_card).minor,
        mentor_minor=left.mentor.minor,
        platform_minor=left.platform.minor,
        mentor_gives_minor=earnings.mentor.minor - left.mentor.minor,
        platform_gives_minor=earnings.platform.minor - left.platform.minor,
        from_payable_minor=sides.payable.minor,
        owed_minor=sides.debt.minor,
        reversible_minor=reversible.minor,
        currency=back.currency,
    )


async def refund(call: Call, order_id: UUID, body: RefundBody, conn: Connection) -> DeedDone:
    """Give a fraction or an amount of the price back, on the amounts that were shown."""
    said: dict[str, Any] = {
        "shown": (body.shown_mentee_minor, body.shown_mentor_minor, body.shown_platform_minor),
        "refund_basis_points": body.refund_basis_points,
        "amount_minor": body.amount_minor,
        "session_id": str(body.session_id) if body.session_id else None,
    }
    kept = {name: value for name, value in said.items() if value is not None}
    deed = Deed(str(call.person_id), "refund", str(order_id), body.reason, order_id, kept)
    return await do(call, conn, commands.refund, deed)


async def list_debts(call: Call, query: PageQuery, conn: Connection) -> Page[DebtView]:
    """List the mentors who got too much and owe it."""
    del call
    found = await store.list_debts(conn, uuid_and_text(query), query.limit + 1)
    items = [DebtView.model_validate(vars(owing)) for owing in found[: query.limit]]
    last = items[-1] if len(found) > query.limit else None
    return Page(
        items=items,
        next_cursor=Page.cursor(str(last.mentor_id), last.currency) if last else None,
    )


async def reverse(call: Call, mentor_id: UUID, body: ReverseBody, conn: Connection) -> DeedDone:
    """Have Stripe asked once more for what it could not take back from the account."""
    deed = Deed(
        str(call.person_id),
        "reverse_again",
        str(mentor_id),
        body.reason,
        None,
        {"currency": body.currency},
    )
    return await do(call, conn, commands.reverse_again, deed)


async def write_off(call: Call, mentor_id: UUID, body: WriteOffBody, conn: Connection) -> DeedDone:
    """Let the platform bear what a mentor owes, or a part of it."""
    said = {"currency": body.currency, "amount_minor": body.amount_minor}
    deed = Deed(str(call.person_id), "write_off", str(mentor_id), body.reason, None, said)
    return await do(call, conn, commands.write_off, deed)


async def show_debts(call: Call, conn: Connection) -> OwingView:
    """Show what the mentor owes, and what made it so."""
    owed = await store.debts_of(conn, call.person_id)
    lines = await store.debt_lines(conn, call.person_id, HISTORY_AT_MOST)
    steps = [
        DebtStepView(
            at=line.happened_at,
            words=_WHY.get(line.kind, line.kind),
            amount_minor=line.amount_minor,
            currency=line.currency,
            order_id=line.order_id,
            session_id=line.session_id,
            title=line.title,
        )
        for line in lines
    ]
    return OwingView(owed=[OwedView.model_validate(row) for row in owed], steps=steps)
