"""What a message says: templates with translations, times and amounts as its reader writes them.

`templates/<language>/<kind>.j2` has the blocks `subject`, `summary` (one sentence, for the feed and
the preview line), `body` (paragraphs with blank lines between them) and, when there is something to
do, `action` (the words on the button). The same template makes the text (plain) and the HTML
(escaped); `frame.j2` of a language holds what all its messages share.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_timezone_name
from babel.numbers import format_currency, format_percent, get_currency_symbol
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.money import Money, decimals

TEMPLATES = Path(__file__).parents[1] / "templates"
LANGUAGES = ("en", "de")
FALLBACK_LOCALE = "en"
FALLBACK_ZONE = "UTC"
TEXT_COLUMNS = 76
SHARED_BLOCKS = ("other", "times", "price")
"""Blocks of the frame that templates use like variables."""

Facts = Mapping[str, object]


@dataclass(frozen=True)
class Voice:
    """How to speak to one reader: a language we have, its locale, and the reader's zone."""

    language: str
    locale: Locale
    zone: ZoneInfo


@dataclass(frozen=True)
class Words:
    """A message in words; `text` and `html` say the same."""

    subject: str
    summary: str
    text: str
    html: str


def voice_of(locale: str | None, zone: str | None) -> Voice:
    """Return how to speak to a reader; English and UTC stand in for what is unknown."""
    try:
        found = Locale.parse((locale or FALLBACK_LOCALE).replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        found = Locale.parse(FALLBACK_LOCALE)
    if found.language not in LANGUAGES:
        # A date in one language inside a sentence in another is worse than either.
        found = Locale.parse(FALLBACK_LOCALE)
    return Voice(found.language, found, _zone(zone or FALLBACK_ZONE))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(FALLBACK_ZONE)


def span(voice: Voice, starts_at: datetime, ends_at: datetime) -> str:
    """Return day, times and zone of a session as its reader's wall shows them."""
    local = starts_at.astimezone(voice.zone)
    day = format_date(local, "full", locale=voice.locale)
    times = f"{clock_time(voice, starts_at)} – {clock_time(voice, ends_at)}"
    return f"{day}, {times} ({get_timezone_name(local, locale=voice.locale)})"


def clock_time(voice: Voice, instant: datetime) -> str:
    """Return hours and minutes in the reader's zone."""
    return format_time(instant, "short", tzinfo=voice.zone, locale=voice.locale)


def moment(voice: Voice, instant: datetime) -> str:
    """Return day, time and zone of an instant as its reader's wall shows it."""
    local = instant.astimezone(voice.zone)
    day = format_date(local, "long", locale=voice.locale)
    return f"{day}, {clock_time(voice, instant)} ({get_timezone_name(local, locale=voice.locale)})"


def month(voice: Voice, instant: datetime) -> str:
    """Return the month of an instant in UTC, with its year."""
    return format_skeleton("yMMMM", instant, tzinfo=UTC, locale=voice.locale)


def percentage(voice: Voice, basis_points: int) -> str:
    """Return a share in percent."""
    share = Decimal(basis_points).scaleb(-4)
    return format_percent(share, locale=voice.locale, decimal_quantization=False)


def amount(voice: Voice, money: Money) -> str:
    """Return an amount with as many digits as its minor unit has, never rounded."""
    digits = decimals(money.currency)
    fraction = "." + "0" * digits if digits else ""
    # CLDR rounds some currencies to what shops use; we show what is booked.
    pattern = voice.locale.currency_formats["standard"].pattern.replace(".00", fraction)
    if get_currency_symbol(money.currency, voice.locale)[-1].isalpha():
        pattern = re.sub("^¤(?=#)", "¤\N{NO-BREAK SPACE}", pattern)
    value = Decimal(money.minor).scaleb(-digits)
    return format_currency(
        value, money.currency, pattern, locale=voice.locale, currency_digits=False
    )


def say(kind: str, voice: Voice, facts: Facts) -> Words:
    """Return a message in words. `facts` are the template's variables."""
    plain, safe = _blocks(kind, voice, facts, html=False), _blocks(kind, voice, facts, html=True)
    return Words(
        subject=_one_line(plain["subject"]),
        summary=_one_line(plain["summary"]),
        text=_text(plain, facts),
        html=_environment(html=True)
        .get_template("layout.html")
        .render(
            language=voice.language,
            paragraphs=[Markup(part) for part in _paragraphs(safe["body"])],  # noqa: S704
            link=facts["link"],
            **{name: Markup(_one_line(part)) for name, part in safe.items()},  # noqa: S704
        ),
    )


def _blocks(kind: str, voice: Voice, facts: Facts, *, html: bool) -> dict[str, str]:
    """Return the blocks of the language's frame and of the kind's template, rendered."""
    environment = _environment(html=html)
    frame = _render(environment, f"{voice.language}/frame.j2", facts)
    shared = {
        name: Markup(frame[name]) if html else frame[name]  # noqa: S704
        for name in SHARED_BLOCKS
    }
    return frame | _render(environment, f"{voice.language}/{kind}.j2", {**facts, **shared})


def _render(environment: Environment, name: str, facts: Facts) -> dict[str, str]:
    template = environment.get_template(name)
    context = template.new_context(dict(facts))
    return {block: "".join(draw(context)).strip() for block, draw in template.blocks.items()}


def _text(blocks: Mapping[str, str], facts: Facts) -> str:
    parts = [blocks["greeting"], *_paragraphs(blocks["body"])]
    filled = [textwrap.fill(part, TEXT_COLUMNS, break_long_words=False) for part in parts]
    if "action" in blocks:
        filled.append(f"{_one_line(blocks['action'])}:\n{facts['link']}")
    footer = textwrap.fill(blocks["footer"], TEXT_COLUMNS)
    return "\n\n".join([*filled, f"-- \n{footer}"]) + "\n"


def _paragraphs(body: str) -> list[str]:
    return [_one_line(part) for part in body.split("\n\n") if part.strip()]


def _one_line(text: str) -> str:
    return " ".join(text.split())


@cache
def _environment(*, html: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=html,  # noqa: S701  The other environment makes plain text.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
