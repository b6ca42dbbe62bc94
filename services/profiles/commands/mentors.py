"""What mentors and mentees say about themselves, vetting, and what search knows of offerings."""

from __future__ import annotations

from dataclasses import replace

from services.profiles.commands.office import Office
from services.profiles.domain import mentors as domain
from services.profiles.domain.accounts import Person
from services.profiles.domain.mentors import ExpertiseUnknown, MentorProfile, MentorWords, Step
from services.profiles.domain.search import fold, words_of
from services.profiles.store import accounts, search
from services.profiles.store import mentors as store
from services.profiles.store.mentors import MenteeProfile
from shared.clock import BusinessInstant
from shared.contracts.booking import OfferingFact, OpeningsFact
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import PersonId
from shared.web.api import VersionOutdated

Mentor = tuple[Person, MentorProfile]


async def rewrite_mentor_profile(
    conn: Connection, person_id: PersonId, words: MentorWords, *, seen_version: int
) -> Mentor:
    """Replace a mentor's profile; the first makes a draft.

    Raises `VersionOutdated` and `ExpertiseUnknown`.
    """
    person = await accounts.lock_person(conn, person_id)
    profile = await store.mentor_profile(conn, person_id)
    if profile.version != seen_version:
        raise VersionOutdated
    known = {tag.slug for tag in await store.expertise(conn)}
    if unknown := [slug for slug in words.expertise if slug not in known]:
        raise ExpertiseUnknown(expertise=unknown[0])
    person, profile = domain.rewrite(person, profile, words)
    await accounts.save_person(conn, person)
    await store.save_mentor_profile(conn, profile, domain.rating_mean(0, 0))
    await index(conn, person)
    return person, profile


async def move_mentor(
    conn: Connection,
    office: Office,
    person_id: PersonId,
    step: Step,
    *,
    now: BusinessInstant,
    reason: str | None = None,
) -> Mentor:
    """Take one step of vetting; raises `NotFound`, `VettingStateWrong`, `ProfileIncomplete`."""
    person = await accounts.lock_person(conn, person_id)
    profile = await store.mentor_profile(conn, person_id)
    if profile.version == 0:
        raise NotFound
    person, profile, fact = domain.move(person, profile, step, reason, now)
    await store.save_mentor_profile(conn, profile, domain.rating_mean(0, 0))
    await office.save(conn, person, *([fact] if fact else []), now=now)
    return person, profile


async def rewrite_mentee_profile(
    conn: Connection, person_id: PersonId, wanted: MenteeProfile, *, seen_version: int
) -> MenteeProfile:
    """Replace a mentee's profile; raises `VersionOutdated`."""
    await accounts.lock_person(conn, person_id)
    if (await store.mentee_profile(conn, person_id)).version != seen_version:
        raise VersionOutdated
    written = replace(wanted, version=seen_version + 1)
    await store.save_mentee_profile(conn, person_id, written)
    return written


async def note_offering(conn: Connection, told: OfferingFact) -> None:
    """Keep what search needs of an offering; what is older than the known changes nothing."""
    await store.save_offering(
        conn,
        told.offering_id,
        told.mentor_id,
        (told.price_minor, told.currency),
        published=told.published,
        version=told.version,
    )


async def note_opening(conn: Connection, told: OpeningsFact) -> None:
    """Keep when a mentor is free next; what is older than the known changes nothing."""
    await store.save_opening(conn, told.mentor_id, told.next_free_at, told.version)


async def index(conn: Connection, person: Person) -> None:
    """Make a mentor findable by name, headline, expertise with its synonyms, and story."""
    words = (await store.mentor_profile(conn, person.person_id)).words
    chosen = [tag for tag in await store.expertise(conn) if tag.slug in words.expertise]
    tags = [text for tag in chosen for text in (tag.name, *tag.synonyms)]
    texts = (
        fold(f"{person.name} {words.headline}"),
        fold(" ".join([*tags, *words.industries])),
        fold(words.story),
    )
    await search.index_mentor(conn, person.person_id, texts, words_of(" ".join(texts)))
