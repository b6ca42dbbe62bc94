"""A mentor's statements and yearly summary, to read, to print and as tables."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.payments.api.cursors import one_uuid
from services.payments.api.documents import PDF, note_look
from services.payments.domain.statements import Quarter, Statement, Topic, year_totals
from services.payments.domain.tables import statement_csv, summary_csv
from services.payments.store import statements as store
from shared.auth import Role
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection, connection
from shared.errors import NotFound
from shared.web import Api, Call, File, Page, PageQuery, Query, View, WholeNumber

CSV = "text/csv; charset=utf-8"


class StatementView(View):
    """A month in one currency; a balance is below zero where more is owed than waits.

    Opening, earned, given back, sent, came back and written off sum to the closing balance; what
    was kept of shares for a debt changes no balance.
    """

    statement_id: UUID
    period_from: datetime
    period_until: datetime
    currency: CurrencyCode
    opening_minor: int
    earned_minor: int
    given_back_minor: int
    sent_minor: int
    came_back_minor: int
    written_off_minor: int
    kept_minor: int
    closing_minor: int
    paid_out_minor: int
    made_at: datetime


class MovementView(View):
    """One posting to the balance.

    Of a share with the whole price, what of it had gone back before, and the fee: the platform's,
    with Stripe's in it where the mentor bears that.
    """

    at: datetime
    topic: Topic
    words: str
    order_id: UUID | None
    session_id: UUID | None
    title: str | None
    amount_minor: int
    kept_minor: int
    price_minor: int | None
    given_back_minor: int | None
    fee_minor: int | None


class PaidOutView(View):
    """A payout that arrived at the bank in the month, or failed in it.

    One that is `returned` had arrived by an earlier statement, from whose sum it is taken here.
    """

    payout_id: str
    created_at: datetime
    arrives_at: datetime
    ended_at: datetime
    state: Literal["paid", "failed"]
    amount_minor: Minor
    returned: bool


class StatementDetails(StatementView):
    """A statement with everything on it, in order of time."""

    movements: list[MovementView]
    payouts: list[PaidOutView]


Year = Annotated[WholeNumber, Field(ge=2000, le=9998)]


class YearQuery(Query):
    """Which year, in UTC."""

    year: Year


class AnyYearQuery(Query):
    """Which year, in UTC; the latest that has figures where none is named."""

    year: Year | None = None


class QuarterView(View):
    """A quarter of sessions whose shares were released in it.

    Gross is what was paid for them; less refunds and fees it is the net that was credited.
    """

    quarter: int
    currency: CurrencyCode
    sessions: int
    gross_minor: int
    refunds_minor: int
    fees_minor: int
    net_minor: int


class YearTotalView(View):
    """The year in one currency."""

    currency: CurrencyCode
    sessions: int
    gross_minor: int
    refunds_minor: int
    fees_minor: int
    net_minor: int


class YearView(View):
    """The figures that tax authorities ask platforms for, by quarter and in all."""

    year: int
    quarters: list[QuarterView]
    totals: list[YearTotalView]


def add_routes(api: Api) -> None:
    """Declare the routes about statements."""
    mentor, operator = Role.MENTOR, Role.OPERATOR
    api.get("/v1/me/statements", may=mentor)(list_statements)
    api.get("/v1/me/yearly-summary", may=mentor)(show_year)
    api.get("/v1/me/yearly-summary/summary.csv", may=mentor)(write_year)
    api.get("/v1/statements/{statement_id}")(show_statement)
    api.get("/v1/statements/{statement_id}/statement.pdf")(print_statement)
    api.get("/v1/statements/{statement_id}/statement.csv")(write_statement)
    api.get("/v1/operator/mentors/{mentor_id}/statements", may=operator)(list_of_mentor)
    api.get("/v1/operator/mentors/{mentor_id}/yearly-summary", may=operator)(show_year_of_mentor)


async def list_statements(call: Call, query: PageQuery, conn: Connection) -> Page[StatementView]:
    """List the mentor's statements, newest first."""
    return await _page(conn, call.person_id, query)


async def list_of_mentor(
    call: Call, mentor_id: UUID, query: PageQuery, conn: Connection
) -> Page[StatementView]:
    """List a mentor's statements, newest first."""
    note_look(call, "statements", mentor_id)
    return await _page(conn, mentor_id, query)


async def show_statement(call: Call, statement_id: UUID, conn: Connection) -> StatementDetails:
    """Show a statement to its mentor, or to an operator."""
    statement = await _own(call, conn, statement_id)
    month = statement.month
    return StatementDetails(
        **_fields(statement),
        movements=[
            MovementView.model_validate(each, from_attributes=True) for each in month.movements
        ],
        payouts=[PaidOutView.model_validate(vars(each)) for each in month.payouts],
    )


async def print_statement(call: Call, statement_id: UUID) -> Annotated[File, PDF]:
    """Show a statement as it is printed."""
    async with connection(call.pool) as conn:
        statement = await _own(call, conn, statement_id)
    return File(content=await asyncio.to_thread(_printed, statement))


def _printed(statement: Statement) -> bytes:
    # Brought when somebody prints, as for receipts.
    from services.payments.domain.printing import statement_pdf

    return statement_pdf(statement)


async def write_statement(call: Call, statement_id: UUID, conn: Connection) -> Annotated[File, CSV]:
    """Show a statement as a table, with the balance after each line."""
    return File(content=statement_csv(await _own(call, conn, statement_id)))


async def show_year(call: Call, query: AnyYearQuery, conn: Connection) -> YearView:
    """Show what sessions brought in a year, by quarter, as tax authorities ask for it."""
    year = query.year or await store.latest_year(conn, call.person_id) or call.now.year
    return await _year(conn, call.person_id, year)


async def show_year_of_mentor(
    call: Call, mentor_id: UUID, query: YearQuery, conn: Connection
) -> YearView:
    """Show what a mentor's sessions brought in a year, by quarter."""
    note_look(call, "yearly_summary", mentor_id)
    return await _year(conn, mentor_id, query.year)


async def write_year(call: Call, query: YearQuery, conn: Connection) -> Annotated[File, CSV]:
    """Show the year as a table."""
    return File(content=summary_csv(await _quarters(conn, call.person_id, query.year)))


async def _own(call: Call, conn: Connection, statement_id: UUID) -> Statement:
    statement = await store.load_statement(conn, statement_id)
    if statement is None:
        raise NotFound
    if statement.mentor_id != call.person_id:
        note_look(call, "statement", statement_id)
    return statement


async def _page(conn: Connection, mentor_id: UUID, query: PageQuery) -> Page[StatementView]:
    found = await store.statements_of(conn, mentor_id, one_uuid(query), query.limit + 1)
    items = [StatementView.model_validate(_fields(each)) for each in found[: query.limit]]
    more = len(found) > query.limit
    return Page(items=items, next_cursor=Page.cursor(items[-1].statement_id) if more else None)


async def _year(conn: Connection, mentor_id: UUID, year: int) -> YearView:
    found = await _quarters(conn, mentor_id, year)
    quarters = [
        QuarterView(
            quarter=each.number,
            currency=each.currency,
            sessions=each.sessions,
            gross_minor=each.gross_minor,
            refunds_minor=each.refunds_minor,
            fees_minor=each.fees_minor,
            net_minor=each.net_minor,
        )
        for each in found
    ]
    totals = [YearTotalView.model_validate(vars(each)) for each in year_totals(found)]
    return YearView(year=year, quarters=quarters, totals=totals)


async def _quarters(conn: Connection, mentor_id: UUID, year: int) -> list[Quarter]:
    since, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    return await store.quarters(conn, mentor_id, since, until)


def _fields(statement: Statement) -> dict[str, Any]:
    return {
        "statement_id": statement.statement_id,
        "period_from": statement.period.since,
        "period_until": statement.period.until,
        "currency": statement.currency,
        "opening_minor": statement.opening_minor,
        "earned_minor": statement.total("earned"),
        "given_back_minor": statement.total("given_back"),
        "sent_minor": statement.total("sent"),
        "came_back_minor": statement.total("came_back"),
        "written_off_minor": statement.total("written_off"),
        "kept_minor": statement.kept_minor,
        "closing_minor": statement.closing_minor,
        "paid_out_minor": statement.paid_out_minor,
        "made_at": statement.made_at,
    }
