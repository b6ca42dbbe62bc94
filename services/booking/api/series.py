"""Routes for series: which weekly dates are free, and holding the chosen ones as one purchase."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.booking.api.orders import AcceptedPolicy, AnswerShape, OrderView, reply
from services.booking.api.slots import SlotView
from services.booking.api.surface import Zone, api, terms_of
from services.booking.commands.series import hold_series, plan_series
from services.booking.domain.holds import (
    AnswersMissing,
    MentorUnavailable,
    OwnOffering,
    PolicyChanged,
    SlotNotOffered,
    SlotTaken,
    Start,
    TooManyHolds,
    TooManyLapses,
    Wish,
)
from services.booking.domain.offerings import QUESTIONS_AT_MOST, OfferingNotPublished
from services.booking.domain.orders import Answer
from services.booking.domain.series import (
    WEEKS_AT_LEAST,
    WEEKS_AT_MOST,
    Outline,
    Plan,
    SeriesDate,
    SeriesNotForFree,
    SeriesNotWeekly,
    SeriesTaken,
    SeriesTooDear,
    SeriesTooLong,
)
from shared.contracts.booking import FrozenPolicy
from shared.contracts.common import PromotionCode
from shared.db import Connection, connection
from shared.errors import NotFound
from shared.ids import OfferingId, OrderId, SessionId, new_id
from shared.web import ANYONE, Body, Call, InstantUtc, Query, Versioned, View


class SeriesQuery(Query):
    """The first start, how many weeks, and the zone of whoever looks, to warn of its clocks."""

    starts_at: InstantUtc
    weeks: Annotated[int, Field(ge=WEEKS_AT_LEAST, le=WEEKS_AT_MOST)]
    viewer_zone: Zone | None = None


class SeriesDateView(View):
    """One week: its start, which is missing where the mentor's clocks skip that time.

    `on` is the date on the mentor's calendar. `alternatives` are free starts of that day or a day
    next to it, for a week that is not free.
    """

    on: date
    starts_at: InstantUtc | None
    ends_at: InstantUtc | None
    free: bool
    alternatives: list[SlotView]


class ClockChangeView(View):
    """The clocks of a zone go forward by these minutes on a day (below zero: back)."""

    on: date
    zone: str
    shift_minutes: int


class SeriesView(View):
    """A series before it is bought; the price is that of all its weeks."""

    dates: list[SeriesDateView]
    price_minor: int
    currency: str
    clock_changes: list[ClockChangeView]


class SeriesBody(Body):
    """The starts that were chosen, one a week."""

    offering_id: UUID
    starts: Annotated[list[InstantUtc], Field(min_length=WEEKS_AT_LEAST, max_length=WEEKS_AT_MOST)]
    accepted_policy: AcceptedPolicy
    answers: Annotated[list[AnswerShape], Field(max_length=QUESTIONS_AT_MOST)] = Field(
        default_factory=list[AnswerShape]
    )
    promotion_code: PromotionCode | None = None


@api.get(
    "/v1/offerings/{offering_id}/series",
    may=ANYONE,
    refusals=(SeriesNotForFree, SeriesTooDear, SeriesTooLong),
)
async def preview_series(call: Call, offering_id: OfferingId, query: SeriesQuery) -> SeriesView:
    """Show which weekly dates are free, what is near the others, and what all of them cost."""
    viewer_id = call.principal.person_id if call.principal else None
    outline = Outline(query.starts_at, query.weeks, viewer_id, query.viewer_zone)
    async with connection(call.pool) as conn:
        planned = await plan_series(conn, offering_id, outline, terms=terms_of(call), now=call.now)
    return _view(planned)


@api.post(
    "/v1/series",
    idempotent=True,
    refusals=(
        SeriesTaken,
        SeriesNotWeekly,
        SeriesNotForFree,
        SeriesTooDear,
        SlotTaken,
        SlotNotOffered,
        OwnOffering,
        PolicyChanged,
        OfferingNotPublished,
        MentorUnavailable,
        AnswersMissing,
        TooManyHolds,
        TooManyLapses,
        NotFound,
    ),
)
async def buy_series(
    call: Call, conn: Connection, body: SeriesBody
) -> Annotated[Versioned, OrderView]:
    """Hold or request all dates of a series as one purchase, or none of them."""
    accepted = body.accepted_policy
    wish = Wish(
        OrderId(new_id()),
        tuple(Start(SessionId(new_id()), starts_at) for starts_at in sorted(body.starts)),
        call.person_id,
        FrozenPolicy(preset=accepted.preset, policy_version=accepted.policy_version),
        tuple(Answer(given.question, given.answer) for given in body.answers),
        body.promotion_code,
    )
    offering_id = OfferingId(body.offering_id)
    order = await hold_series(conn, offering_id, wish, terms=terms_of(call), now=call.now)
    return reply(order, call)


def _view(planned: Plan) -> SeriesView:
    length = timedelta(minutes=planned.minutes)
    return SeriesView(
        dates=[_date(each, length) for each in planned.dates],
        price_minor=planned.price_minor,
        currency=planned.currency,
        clock_changes=[
            ClockChangeView.model_validate(change, from_attributes=True)
            for change in planned.clock_changes
        ],
    )


def _date(each: SeriesDate, length: timedelta) -> SeriesDateView:
    def slot(starts_at: datetime) -> SlotView:
        return SlotView(starts_at=starts_at, ends_at=starts_at + length)

    return SeriesDateView(
        on=each.on,
        starts_at=each.starts_at,
        ends_at=each.starts_at + length if each.starts_at else None,
        free=each.is_free,
        alternatives=[slot(starts_at) for starts_at in each.alternatives],
    )
