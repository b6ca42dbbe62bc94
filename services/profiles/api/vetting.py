"""What operators do with mentor profiles."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from services.profiles.api.front import MentorStateView, api, desk
from services.profiles.commands import mentors as commands
from services.profiles.domain.mentors import ProfileIncomplete, Step, VettingStateWrong
from services.profiles.store import accounts as people
from services.profiles.store import mentors as store
from services.profiles.store.mentors import ToVet
from shared.auth import Role
from shared.db import Connection
from shared.deeds import DONE, Deed, record
from shared.errors import NotFound
from shared.ids import PersonId
from shared.web import Body, Call, Page, PageQuery, View
from shared.web.shapes import CursorInvalid

REASON_LONGEST = 1000
NO_REASON = "-"
"""What the log of deeds says when an operator gave no reason, as one may for an approval."""
WRONG = (VettingStateWrong, ProfileIncomplete)


class VettingQuery(PageQuery):
    """Which mentors; `submitted` includes approved ones with an edit to look at."""

    state: Literal["draft", "submitted", "changes_requested", "approved", "suspended"] | None = None


class VettingBody(Body):
    """Why, in words for the mentor."""

    reason: (
        Annotated[str, StringConstraints(strip_whitespace=True, max_length=REASON_LONGEST)] | None
    ) = None


class VettingCard(View):
    """A mentor in the operator's list."""

    person_id: UUID
    name: str
    state: str
    headline: str
    expertise: list[str]
    edited_since_approval: bool
    submitted_at: datetime | None


class VettingView(VettingCard):
    """A mentor profile as an operator judges it."""

    story: str
    languages: list[str]
    years: int
    industries: list[str]
    zone: str
    reason: str | None


@api.get("/v1/operator/mentors", may=Role.OPERATOR)
async def mentors_to_vet(query: VettingQuery, call: Call, conn: Connection) -> Page[VettingCard]:
    """List mentors by the state of their profile."""
    found = await store.to_vet(conn, query.state, _after(query), query.limit + 1)
    page = found[: query.limit]
    return Page(
        items=[_card(mentor) for mentor in page],
        next_cursor=Page.cursor(page[-1].person_id) if len(found) > query.limit else None,
    )


def _after(query: PageQuery) -> UUID | None:
    values = query.after()
    try:
        return UUID(values[0]) if values else None
    except ValueError:
        raise CursorInvalid from None


def _card(mentor: ToVet) -> VettingCard:
    return VettingCard(
        person_id=mentor.person_id,
        name=mentor.name,
        state=mentor.mentor_state,
        headline=mentor.headline,
        expertise=mentor.expertise,
        edited_since_approval=mentor.edited_since_approval,
        submitted_at=mentor.submitted_at,
    )


@api.get("/v1/operator/mentors/{person_id}", may=Role.OPERATOR)
async def mentor_to_vet(person_id: UUID, call: Call, conn: Connection) -> VettingView:
    """Show a mentor profile in whatever state it is."""
    person = await people.person(conn, person_id)
    profile = await store.mentor_profile(conn, person.person_id)
    if profile.version == 0:
        raise NotFound
    return VettingView(
        person_id=person.person_id,
        name=person.name,
        state=person.mentor_state,
        headline=profile.words.headline,
        expertise=list(profile.words.expertise),
        edited_since_approval=profile.edited_since_approval,
        submitted_at=profile.submitted_at,
        story=profile.words.story,
        languages=list(profile.words.languages),
        years=profile.words.years,
        industries=list(profile.words.industries),
        zone=person.zone,
        reason=profile.reason,
    )


@api.post(
    "/v1/operator/mentors/{person_id}/approve",
    may=Role.OPERATOR,
    status=200,
    idempotent=True,
    refusals=WRONG,
)
async def approve_mentor(
    person_id: UUID, body: VettingBody, call: Call, conn: Connection
) -> MentorStateView:
    """Approve a submitted profile, or an edit of an approved one."""
    return await _step(call, conn, person_id, Step.APPROVE, body)


@api.post(
    "/v1/operator/mentors/{person_id}/request-changes",
    may=Role.OPERATOR,
    status=200,
    idempotent=True,
    refusals=WRONG,
)
async def request_changes(
    person_id: UUID, body: VettingBody, call: Call, conn: Connection
) -> MentorStateView:
    """Ask the mentor to change a submitted profile."""
    return await _step(call, conn, person_id, Step.REQUEST_CHANGES, body)


@api.post(
    "/v1/operator/mentors/{person_id}/suspend",
    may=Role.OPERATOR,
    status=200,
    idempotent=True,
    refusals=WRONG,
)
async def suspend_mentor(
    person_id: UUID, body: VettingBody, call: Call, conn: Connection
) -> MentorStateView:
    """Suspend an approved mentor: nothing new can be booked."""
    return await _step(call, conn, person_id, Step.SUSPEND, body)


@api.post(
    "/v1/operator/mentors/{person_id}/reinstate",
    may=Role.OPERATOR,
    status=200,
    idempotent=True,
    refusals=WRONG,
)
async def reinstate_mentor(
    person_id: UUID, body: VettingBody, call: Call, conn: Connection
) -> MentorStateView:
    """Approve a suspended mentor again."""
    return await _step(call, conn, person_id, Step.REINSTATE, body)


async def _step(
    call: Call, conn: Connection, person_id: UUID, step: Step, body: VettingBody
) -> MentorStateView:
    person, _ = await commands.move_mentor(
        conn, desk(call).office, PersonId(person_id), step, now=call.now, reason=body.reason
    )
    deed = Deed(str(call.person_id), step.value, str(person_id), body.reason or NO_REASON)
    await record(conn, deed, DONE, {"state": person.mentor_state}, call.now)
    return MentorStateView(state=person.mentor_state)
