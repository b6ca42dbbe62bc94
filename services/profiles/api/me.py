"""What a person says about themselves: the account, the mentor and the mentee profile."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from services.profiles.api.front import (
    Language,
    Locale,
    MentorStateView,
    Name,
    Slug,
    Zone,
    api,
    desk,
)
from services.profiles.commands import accounts, mentors
from services.profiles.domain.accounts import Person, ZoneUnknown, roles_of
from services.profiles.domain.mentors import (
    ExpertiseUnknown,
    MentorProfile,
    MentorWords,
    ProfileIncomplete,
    Step,
    VettingStateWrong,
)
from services.profiles.store import accounts as people
from services.profiles.store import mentors as store
from services.profiles.store.mentors import MenteeProfile
from shared.db import Connection
from shared.errors import NotFound
from shared.web import Body, Call, Query, Text, Versioned, View, WholeNumber

STORY_LONGEST = 4000
HEADLINE_LONGEST = 140
YEARS_AT_MOST = 70
LIST_LONGEST = 10
NAMES_AT_ONCE = 50

Paragraphs = Annotated[str, StringConstraints(strip_whitespace=True, max_length=STORY_LONGEST)]
Industry = Annotated[Text, Field(max_length=60)]
_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
Ids = Annotated[
    str,
    StringConstraints(pattern=f"^{_UUID}(?:,{_UUID}){{0,{NAMES_AT_ONCE - 1}}}$"),
    Field(description=f"Up to {NAMES_AT_ONCE} ids, separated by commas."),
]


class MeView(View):
    """The signed-in person."""

    person_id: UUID
    name: str
    email: str
    locale: str
    zone: str
    wants: str
    roles: list[str]
    mentor_state: str


class MeBody(Body):
    """What a person may change about the account."""

    name: Name
    locale: Locale
    zone: Zone


class MentorProfileBody(Body):
    """A mentor's profile; `expertise` are slugs of /v1/expertise, `languages` ISO 639 codes."""

    headline: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=HEADLINE_LONGEST)
    ] = ""
    story: Paragraphs = ""
    expertise: Annotated[list[Slug], Field(max_length=LIST_LONGEST, default_factory=list)]
    languages: Annotated[list[Language], Field(max_length=LIST_LONGEST, default_factory=list)]
    years: Annotated[WholeNumber, Field(ge=0, le=YEARS_AT_MOST)] = 0
    industries: Annotated[list[Industry], Field(max_length=LIST_LONGEST, default_factory=list)]

    def words(self) -> MentorWords:
        """Return what is said, each thing once."""
        return MentorWords(
            headline=self.headline,
            story=self.story,
            expertise=tuple(dict.fromkeys(self.expertise)),
            languages=tuple(dict.fromkeys(self.languages)),
            industries=tuple(dict.fromkeys(self.industries)),
            years=self.years,
        )


class MentorProfileView(View):
    """A mentor's own profile; `reason` says why changes were asked for or it was suspended."""

    state: str
    reason: str | None
    headline: str
    story: str
    expertise: list[str]
    languages: list[str]
    years: int
    industries: list[str]
    edited_since_approval: bool


class MenteeProfileBody(Body):
    """A mentee's profile."""

    goal: Paragraphs = ""
    background: Paragraphs = ""
    ask: Paragraphs = ""


class MenteeProfileView(View):
    """A mentee's profile."""

    goal: str
    background: str
    ask: str


class NamesQuery(Query):
    """Whose names are asked for."""

    ids: Ids


class NameView(View):
    """A person's display name."""

    person_id: UUID
    name: str


class NamesView(View):
    """Display names; ids of nobody are left out."""

    items: list[NameView]


@api.get("/v1/me", refusals=(NotFound,))
async def me(call: Call, conn: Connection) -> Annotated[Versioned, MeView]:
    """Show the signed-in person."""
    return _me(call, await people.person(conn, call.person_id))


@api.put("/v1/me", versioned=True, refusals=(ZoneUnknown, NotFound))
async def change_me(call: Call, body: MeBody, conn: Connection) -> Annotated[Versioned, MeView]:
    """Change name, locale and zone."""
    person = await accounts.change_person(
        conn,
        desk(call).office,
        call.person_id,
        (body.name, body.locale, body.zone),
        seen_version=call.expected_version(),
        now=call.now,
    )
    return _me(call, person)


def _me(call: Call, person: Person) -> Versioned:
    roles = roles_of(person, desk(call).office.operator_emails)
    view = MeView(
        person_id=person.person_id,
        name=person.name,
        email=person.email,
        locale=person.locale,
        zone=person.zone,
        wants=person.wants,
        roles=sorted(role.value for role in roles),
        mentor_state=person.mentor_state,
    )
    return Versioned(view, version=person.contact_version)


@api.get("/v1/me/mentor-profile", refusals=(NotFound,))
async def my_mentor_profile(
    call: Call, conn: Connection
) -> Annotated[Versioned, MentorProfileView]:
    """Show one's mentor profile; an empty one in state `none` has version 0."""
    person = await people.person(conn, call.person_id)
    return _mentor(person, await store.mentor_profile(conn, call.person_id))


@api.put("/v1/me/mentor-profile", versioned=True, refusals=(ExpertiseUnknown, NotFound))
async def write_mentor_profile(
    call: Call, body: MentorProfileBody, conn: Connection
) -> Annotated[Versioned, MentorProfileView]:
    """Write one's mentor profile; the first makes a draft and gives the role `mentor`."""
    return _mentor(
        *await mentors.rewrite_mentor_profile(
            conn, call.person_id, body.words(), seen_version=call.expected_version()
        )
    )


@api.post(
    "/v1/me/mentor-profile/submit",
    status=200,
    idempotent=True,
    refusals=(ProfileIncomplete, VettingStateWrong, NotFound),
)
async def submit_mentor_profile(call: Call, conn: Connection) -> MentorStateView:
    """Ask an operator to approve the profile."""
    person, _ = await mentors.move_mentor(
        conn, desk(call).office, call.person_id, Step.SUBMIT, now=call.now
    )
    return MentorStateView(state=person.mentor_state)


def _mentor(person: Person, profile: MentorProfile) -> Versioned:
    words = profile.words
    view = MentorProfileView(
        state=person.mentor_state,
        reason=profile.reason,
        headline=words.headline,
        story=words.story,
        expertise=list(words.expertise),
        languages=list(words.languages),
        years=words.years,
        industries=list(words.industries),
        edited_since_approval=profile.edited_since_approval,
    )
    return Versioned(view, version=profile.version)


@api.get("/v1/me/mentee-profile")
async def my_mentee_profile(
    call: Call, conn: Connection
) -> Annotated[Versioned, MenteeProfileView]:
    """Show one's mentee profile; an empty one has version 0."""
    return _mentee(await store.mentee_profile(conn, call.person_id))


@api.put("/v1/me/mentee-profile", versioned=True, refusals=(NotFound,))
async def write_mentee_profile(
    call: Call, body: MenteeProfileBody, conn: Connection
) -> Annotated[Versioned, MenteeProfileView]:
    """Write one's mentee profile."""
    wanted = MenteeProfile(goal=body.goal, background=body.background, ask=body.ask)
    return _mentee(
        await mentors.rewrite_mentee_profile(
            conn, call.person_id, wanted, seen_version=call.expected_version()
        )
    )


def _mentee(profile: MenteeProfile) -> Versioned:
    view = MenteeProfileView(goal=profile.goal, background=profile.background, ask=profile.ask)
    return Versioned(view, version=profile.version)


@api.get("/v1/people")
async def people_names(query: NamesQuery, call: Call, conn: Connection) -> NamesView:
    """Show the display names of people."""
    found = await people.names(conn, [UUID(part) for part in query.ids.split(",")])
    return NamesView(
        items=[NameView(person_id=person_id, name=name) for person_id, name in found.items()]
    )
