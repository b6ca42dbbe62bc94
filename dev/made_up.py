"""Made-up people for an empty marketplace: the same dice make the same ones."""

from __future__ import annotations

import random
from dataclasses import dataclass

from services.booking.domain.offerings import OfferingContent
from services.profiles.domain.mentors import MentorWords
from shared.ids import PersonId, new_id

FIRST_NAMES = (
    "Amara Bram Chidi Dalia Emre Freya Goran Hana Ines Jonas Kavya Luca Mina Noor Otto Priya Quinn"
    " Rosa Sami Tove Uma Viktor Wren Xavier Yara Zeno"
).split()
LAST_NAMES = (
    "Adler Bianchi Costa Dube Eriksen Fofanah Garcia Haddad Ito Jansen Kowalski Lindgren Mbeki"
    " Novak Okafor Petrov Rossi Silva Tanaka Umarov Vargas Weber Yilmaz Zhang"
).split()
ZONES = ("America/New_York", "Europe/Berlin", "Europe/London", "Asia/Kolkata", "Australia/Sydney")
PRICES_MINOR = (4_500, 6_000, 9_000, 12_000, 15_000)
LENGTHS_MINUTES = (30, 45, 60)
YEARS = (4, 7, 10, 15, 22)


@dataclass(frozen=True)
class Field:
    """What made-up mentors are known for: a tag, an industry, headlines, and a story."""

    slug: str
    industry: str
    headlines: tuple[str, ...]
    story: str


FIELDS = (
    Field(
        "engineering-leadership",
        "software",
        (
            "Lead a team without losing yourself",
            "From staff engineer to the person others follow",
            "Hard conversations, held early and kindly",
        ),
        "I led platform teams of six to sixty people, through two reorganisations and one outage"
        " that made the news.",
    ),
    Field(
        "backend",
        "software",
        (
            "Build services that stay up",
            "Queues, retries and the art of doing things once",
            "Grow from endpoints to systems",
        ),
        "I have run payment and booking systems for a living, and been on call for every one of"
        " them.",
    ),
    Field(
        "data-engineering",
        "data",
        (
            "Pipelines people can trust",
            "From notebooks to data that others build on",
            "Fewer dashboards, better questions",
        ),
        "I moved three companies from nightly scripts to streams, and know which of them needed"
        " it.",
    ),
    Field(
        "ux-design",
        "design",
        (
            "Design with the people who use it",
            "A portfolio that shows how you think",
            "Research that changes what gets built",
        ),
        "I began in print, found my way to public services, and still test with five people every"
        " week.",
    ),
    Field(
        "product-management",
        "product",
        (
            "Decide what to build, and what not to",
            "Your first product role, without the jargon",
            "A roadmap that survives contact",
        ),
        "I shipped eleven products and closed four of them; the second list taught me more.",
    ),
    Field(
        "system-design",
        "software",
        (
            "Draw the system before it draws you",
            "Design interviews as a conversation",
            "Trade-offs you can explain to anybody",
        ),
        "I review designs every day and like the ones that fit on a napkin.",
    ),
    Field(
        "first-time-manager",
        "leadership",
        (
            "Your first year as a manager",
            "One-to-ones people look forward to",
            "Delegate without letting go of care",
        ),
        "I became a manager by accident, was bad at it for a year, and have helped forty people"
        " skip that year.",
    ),
)


@dataclass(frozen=True)
class Newcomer:
    """Somebody the seed made up; the same number makes the same people."""

    name: str
    email: str
    zone: str
    person_id: PersonId


@dataclass(frozen=True)
class Plan:
    """What a mentor will be known for and offer."""

    mentor: Newcomer
    words: MentorWords
    content: OfferingContent


def made_up_person(dice: random.Random, number: int) -> Newcomer:
    """Return somebody who is not registered yet."""
    first, last = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
    email = f"{first}.{last}.{number}.{new_id().hex[-6:]}@example.com".lower()
    return Newcomer(f"{first} {last}", email, dice.choice(ZONES), PersonId(new_id()))


def made_up_plan(mentor: Newcomer, dice: random.Random) -> Plan:
    """Return what a mentor is known for and offers."""
    known_for = dice.choice(FIELDS)
    headline = dice.choice(known_for.headlines)
    words = MentorWords(
        headline=headline,
        story=known_for.story,
        expertise=(known_for.slug,),
        languages=("en",),
        industries=(known_for.industry,),
        years=dice.choice(YEARS),
    )
    return Plan(mentor, words, _content(headline, dice))


def _content(title: str, dice: random.Random) -> OfferingContent:
    return OfferingContent(
        title=title,
        description="Bring one question that matters to you; we leave with a next step.",
        minutes=dice.choice(LENGTHS_MINUTES),
        price_minor=dice.choice(PRICES_MINOR),
        currency="USD",
        buffer_before_minutes=0,
        buffer_after_minutes=15,
        minimum_notice_minutes=120,
        horizon_days=30,
        cancellation_preset="standard",
    )
