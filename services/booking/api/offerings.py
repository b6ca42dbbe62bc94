"""Routes for what a mentor sells."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from services.booking.api.surface import after_id, api, cursor_after, terms_of
from services.booking.commands.offerings import (
    change_offering,
    create_offering,
    publish,
    withdraw,
)
from services.booking.domain.offerings import (
    QUESTIONS_AT_MOST,
    AccountCannotReceive,
    CurrencyDiffers,
    CurrencyNotSettled,
    MentorNotApproved,
    Offering,
    OfferingContent,
    OfferingNotPublished,
    OfferingState,
    PriceNotChargeable,
    PriceTooLarge,
    PriceTooSmall,
    Question,
    QuestionsAlike,
)
from services.booking.slots import MINUTES_PER_DAY
from services.booking.store import offerings as store
from shared.auth import Role
from shared.contracts.booking import CancellationPreset
from shared.db import Connection, connection
from shared.errors import NotFound
from shared.ids import OfferingId, PersonId
from shared.money import CURRENCIES, MAX_MINOR_OF_ALL
from shared.web import ANYONE, Body, Call, Page, PageQuery, Text, Versioned, View, WholeNumber

SESSION_SHORTEST_MINUTES = 10
SESSION_LONGEST_MINUTES = 8 * 60
BUFFER_LONGEST_MINUTES = 4 * 60
NOTICE_LONGEST_MINUTES = 30 * MINUTES_PER_DAY
HORIZON_LONGEST_DAYS = 365
CAP_LARGEST = 100


def _currency(text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError("not a currency that offerings may be priced in")
    return text


Currency = Annotated[
    str,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES)}),
]
Buffer = Annotated[WholeNumber, Field(ge=0, le=BUFFER_LONGEST_MINUTES)]
Cap = Annotated[WholeNumber, Field(ge=1, le=CAP_LARGEST)] | None


class QuestionShape(Body):
    """What a mentor asks before a session."""

    text: Annotated[Text, Field(max_length=300)]
    required: bool


class OfferingBody(Body):
    """What a mentor writes about an offering."""

    title: Annotated[Text, Field(max_length=120)]
    description: Text
    minutes: Annotated[WholeNumber, Field(ge=SESSION_SHORTEST_MINUTES, le=SESSION_LONGEST_MINUTES)]
    price_minor: Annotated[WholeNumber, Field(ge=0, le=MAX_MINOR_OF_ALL)]
    currency: Currency
    buffer_before_minutes: Buffer = 0
    buffer_after_minutes: Buffer = 0
    minimum_notice_minutes: Annotated[WholeNumber, Field(ge=0, le=NOTICE_LONGEST_MINUTES)] = 0
    horizon_days: Annotated[WholeNumber, Field(ge=1, le=HORIZON_LONGEST_DAYS)] = 60
    cancellation_preset: CancellationPreset = "standard"
    by_request: bool = False
    daily_cap: Cap = None
    weekly_cap: Cap = None
    questions: Annotated[list[QuestionShape], Field(max_length=QUESTIONS_AT_MOST)] = Field(
        default_factory=list[QuestionShape]
    )

    def content(self) -> OfferingContent:
        """Return it as the rules take it."""
        asked = tuple(Question(question.text, question.required) for question in self.questions)
        return OfferingContent(**self.model_dump(exclude={"questions"}), questions=asked)


class StepView(View):
    """So much goes back while at least so many hours are left."""

    hours_before: int
    refund_basis_points: int


class PolicyView(View):
    """A cancellation policy; preset and version are what a mentee accepts."""

    preset: str
    policy_version: int
    steps: list[StepView]


class OfferingView(View):
    """An offering as everybody sees it."""

    offering_id: OfferingId
    mentor_id: PersonId
    title: str
    description: str
    minutes: int
    price_minor: int
    currency: str
    by_request: bool
    questions: list[QuestionShape]
    policy: PolicyView


class OwnOfferingView(OfferingView):
    """An offering as its mentor sees it; `version` is its ETag."""

    state: OfferingState
    version: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int
    horizon_days: int
    daily_cap: int | None
    weekly_cap: int | None
    cancellation_preset: CancellationPreset


CONTENT = (PriceTooSmall, PriceTooLarge, PriceNotChargeable, CurrencyDiffers, QuestionsAlike)


@api.get("/v1/me/offerings", may=Role.MENTOR)
async def list_my_offerings(call: Call, query: PageQuery) -> Page[OwnOfferingView]:
    """List one's offerings, drafts included."""
    async with connection(call.pool) as conn:
        found = await store.list_of_mentor(conn, call.person_id, after_id(query), query.limit)
    last = found[-1].offering_id if found else None
    return Page(
        items=[OwnOfferingView.model_validate(_shown(offering)) for offering in found],
        next_cursor=cursor_after(found, last, query.limit),
    )


@api.post("/v1/me/offerings", may=Role.MENTOR, idempotent=True, refusals=CONTENT)
async def draft_my_offering(
    call: Call, conn: Connection, body: OfferingBody
) -> Annotated[Versioned, OwnOfferingView]:
    """Write a draft of an offering."""
    return _reply(await create_offering(conn, call.person_id, body.content()))


@api.get("/v1/me/offerings/{offering_id}", may=Role.MENTOR)
async def get_my_offering(
    call: Call, offering_id: OfferingId
) -> Annotated[Versioned, OwnOfferingView]:
    """Show one of one's offerings."""
    async with connection(call.pool) as conn:
        offering = await store.read_offering(conn, offering_id)
    if offering is None or offering.mentor_id != call.person_id:
        raise NotFound
    return _reply(offering)


@api.put(
    "/v1/me/offerings/{offering_id}",
    may=Role.MENTOR,
    versioned=True,
    refusals=(*CONTENT, AccountCannotReceive),
)
async def change_my_offering(
    call: Call, conn: Connection, offering_id: OfferingId, body: OfferingBody
) -> Annotated[Versioned, OwnOfferingView]:
    """Replace what an offering says; what is sold stays as sold."""
    offering = await change_offering(
        conn,
        offering_id,
        call.person_id,
        body.content(),
        revision=call.expected_version(),
        now=call.now,
    )
    return _reply(offering)


@api.post(
    "/v1/me/offerings/{offering_id}/publish",
    may=Role.MENTOR,
    status=200,
    idempotent=True,
    refusals=(MentorNotApproved, AccountCannotReceive, CurrencyDiffers, CurrencyNotSettled),
)
async def publish_my_offering(
    call: Call, conn: Connection, offering_id: OfferingId
) -> Annotated[Versioned, OwnOfferingView]:
    """Put an offering up for sale."""
    terms = terms_of(call)
    return _reply(await publish(conn, offering_id, call.person_id, terms=terms, now=call.now))


@api.post(
    "/v1/me/offerings/{offering_id}/withdraw",
    may=Role.MENTOR,
    status=200,
    idempotent=True,
    refusals=(OfferingNotPublished,),
)
async def withdraw_my_offering(
    call: Call, conn: Connection, offering_id: OfferingId
) -> Annotated[Versioned, OwnOfferingView]:
    """Take an offering off sale."""
    return _reply(await withdraw(conn, offering_id, call.person_id, now=call.now))


@api.get("/v1/mentors/{mentor_id}/offerings", may=ANYONE)
async def list_offerings_of_mentor(
    call: Call, mentor_id: PersonId, query: PageQuery
) -> Page[OfferingView]:
    """List what a mentor sells."""
    async with connection(call.pool) as conn:
        found = await store.list_for_sale(conn, mentor_id, after_id(query), query.limit)
    last = found[-1].offering_id if found else None
    return Page(
        items=[OfferingView.model_validate(_shown(offering)) for offering in found],
        next_cursor=cursor_after(found, last, query.limit),
    )


@api.get("/v1/offerings/{offering_id}", may=ANYONE)
async def get_offering(call: Call, offering_id: OfferingId) -> OfferingView:
    """Show an offering that is for sale, with its cancellation policy."""
    async with connection(call.pool) as conn:
        offering = await store.read_offering(conn, offering_id)
    if offering is None or not offering.is_published:
        raise NotFound
    return OfferingView.model_validate(_shown(offering))


def _shown(offering: Offering) -> dict[str, object]:
    """Return all there is to show; each view takes its own part of it."""
    return {
        **asdict(offering.content),
        "offering_id": offering.offering_id,
        "mentor_id": offering.mentor_id,
        "state": offering.state,
        "version": offering.revision,
        "policy": asdict(offering.policy),
    }


def _reply(offering: Offering) -> Versioned:
    return Versioned(
        view=OwnOfferingView.model_validate(_shown(offering)), version=offering.revision
    )
