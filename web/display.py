"""How amounts, instants and states are written for people: filters of the templates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, get_currency_symbol
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from shared.money import WHOLE_BASIS_POINTS, WHOLE_UNIT_CHARGES, decimals
from web.shapes import Step

LOCALE = "en"
"""The language of the pages, and so of the dates and amounts on them."""
_PATTERN = Locale(LOCALE).currency_formats["standard"].pattern
_DAY = "EEE d MMM yyyy"
_TIME = "HH:mm"
TONES = 8
"""How many grounds of avatars tokens.css has."""
_BASIS_POINTS_PER_PERCENT = 100
_HOUR_SECONDS = 3600


def money(minor: int, currency: str) -> str:
    """Return an amount in minor units as people write it, for example $120.00.

    It has as many digits as are booked: CLDR rounds some currencies to what shops use.
    """
    value = Decimal(minor).scaleb(-decimals(currency))
    whole = currency in WHOLE_UNIT_CHARGES and value == value.to_integral_value()
    digits = 0 if whole else decimals(currency)
    pattern = _PATTERN.replace(".00", f".{'0' * digits}" if digits else "")
    if get_currency_symbol(currency, LOCALE)[-1].isalpha():
        pattern = pattern.replace("¤", "¤\N{NO-BREAK SPACE}")
    shown = format_currency(value, currency, pattern, locale=LOCALE, currency_digits=False)
    return shown.replace("-", "−")


def cost(minor: int, currency: str) -> str:
    """Return what something costs, in a word where it costs nothing."""
    return money(minor, currency) if minor else "Free"


def plain_amount(minor: int, currency: str) -> str:
    """Return an amount as a person types it into a field, for example 120.00."""
    return str(Decimal(minor).scaleb(-decimals(currency)))


def moved(minor: int, currency: str) -> str:
    """Return the amount of one step of an order's money, with a minus where it goes back or off."""
    amount = money(abs(minor), currency)
    return f"−{amount}" if minor < 0 else amount


def percent(basis_points: int) -> str:
    """Return a share in basis points as a percentage."""
    whole, rest = divmod(basis_points, _BASIS_POINTS_PER_PERCENT)
    return f"{whole}.{rest:02d}\N{NO-BREAK SPACE}%" if rest else f"{whole}\N{NO-BREAK SPACE}%"


def exact_share(minor: int, basis_points: int) -> int | None:
    """Return a share of an amount if it is a whole number of minor units, else nothing.

    What is rounded, and to whose good, is for `payments` alone to say.
    """
    whole, rest = divmod(minor * basis_points, WHOLE_BASIS_POINTS)
    return None if rest else whole


_SHARES = {WHOLE_BASIS_POINTS: "everything", WHOLE_BASIS_POINTS // 2: "half", 0: "nothing"}


def steps_in_words(steps: Iterable[Step]) -> str:
    """Return a cancellation policy as one sentence."""
    parts = [
        f"{_SHARES.get(step.refund_basis_points, percent(step.refund_basis_points))} "
        + (f"until {step.hours_before} hours before" if step.hours_before else "after that")
        for step in steps
    ]
    return f"{', '.join(parts)}.".capitalize()


def offset_words(zone: str, at: datetime) -> str:
    """Return a zone with its distance from UTC at an instant, for example Europe/Berlin, UTC+1."""
    offset = at.astimezone(ZoneInfo(zone)).utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    hours, rest = divmod(abs(seconds), _HOUR_SECONDS)
    sign = "−" if seconds < 0 else "+"
    minutes = f":{rest // 60:02d}" if rest else ""
    place = zone.replace("_", " ")
    return f"{place} (UTC{sign}{hours}{minutes})" if zone != "UTC" else "UTC"


def _time_element(context: Context, instant: datetime, pattern: str) -> Markup:
    shown = format_datetime(instant, pattern, tzinfo=ZoneInfo(str(context["zone"])), locale=LOCALE)
    stamp = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{}</time>').format(stamp, shown)


@pass_context
def when(context: Context, instant: datetime) -> Markup:
    """Return day and time in the reader's zone."""
    return _time_element(context, instant, f"{_DAY}, {_TIME}")


@pass_context
def day_of(context: Context, instant: datetime) -> Markup:
    """Return the day in the reader's zone."""
    return _time_element(context, instant, _DAY)


@pass_context
def time_of(context: Context, instant: datetime) -> Markup:
    """Return the time of day in the reader's zone."""
    return _time_element(context, instant, _TIME)


@pass_context
def local_day(context: Context, instant: datetime) -> str:
    """Return the calendar day of an instant in the reader's zone."""
    return instant.astimezone(ZoneInfo(str(context["zone"]))).date().isoformat()


@pass_context
def day_part(context: Context, instant: datetime, pattern: str) -> str:
    """Return a part of the day in the reader's zone, by its CLDR pattern."""
    zone = ZoneInfo(str(context["zone"]))
    return format_datetime(instant, pattern, tzinfo=zone, locale=LOCALE)


def weekday_name(day: date) -> str:
    """Return the weekday of a calendar day, for example Mon."""
    return format_date(day, "EEE", locale=LOCALE)


def short_day(day: date) -> str:
    """Return a calendar day without its weekday, for example 23 Nov."""
    return format_date(day, "d MMM", locale=LOCALE)


def month_name(day: date) -> str:
    """Return a month, for example Nov."""
    return format_date(day, "MMM", locale=LOCALE)


def day_name(day: date) -> str:
    """Return a calendar day, for example Monday, 23 November."""
    return format_date(day, "EEEE d MMMM", locale=LOCALE)


def language(code: str) -> str:
    """Return the name of a language by its ISO 639 code."""
    return cast("Mapping[str, str]", Locale(LOCALE).languages).get(code, code)


def initials(name: str) -> str:
    """Return the first letters of a name's first and last word, for an avatar."""
    words = name.split() or ["?"]
    return "".join(word[0] for word in (words[0], *words[1:][-1:])).upper()


def tone(person_id: str) -> str:
    """Return which ground a person's avatar has: always the same for the same person."""
    return str(sum(person_id.encode()) % TONES)


STATES = {
    "requested": "Waiting for the mentor",
    "offered": "Offered from the waitlist",
    "held": "Waiting for payment",
    "confirmed": "Confirmed",
    "completed": "Completed",
    "no_show": "Somebody did not come",
    "declined": "Declined",
    "lapsed": "Not answered in time",
    "expired": "Not paid",
    "cancelled": "Cancelled",
    "lost": "Could not take place",
    "draft": "Draft",
    "submitted": "Waiting for approval",
    "changes_requested": "Changes asked for",
    "approved": "Approved",
    "suspended": "Suspended",
    "published": "Published",
    "withdrawn": "Withdrawn",
    "open": "Open",
    "reached": "Reached",
    "dropped": "Dropped",
    "none": "Not begun",
    "paid": "Paid",
    "created": "On its way",
    "failed": "Sent back by the bank",
}
GOOD_STATES = frozenset(
    "confirmed completed approved published reached ready paid done obeyed".split()
)
BAD_STATES = frozenset(
    "cancelled declined failed lost no_show refused suspended undetermined unmatched".split()
)
CALM_STATES = frozenset(
    {"draft", "open", "expired", "lapsed", "withdrawn", "dropped", "none", "ignored"}
)


CODE_REFUSALS = {
    "unknown": "There is no such code.",
    "paused": "This code cannot be used at the moment.",
    "not_begun": "This code cannot be used yet.",
    "over": "The time of this code is over.",
    "used_up": "This code was used as often as it may be.",
    "used_by_you": "You have used this code as often as you may.",
    "not_first_purchase": "This code is for a first purchase.",
    "other_offering": "This code is for something else.",
    "other_currency": "This code is for another currency.",
    "nothing_off": "This code takes nothing off this price.",
    "paid_by_credits": "Your credits pay for this, so the code is not needed.",
}
"""Why a code takes nothing off, in words."""


def code_refusal(why: str | None) -> str:
    """Return why a promotion code takes nothing off, as a person would say it."""
    return CODE_REFUSALS.get(why, "This code cannot be used.") if why else ""


def in_words(state: str) -> str:
    """Return a state as a person would say it."""
    return STATES.get(state, state.replace("_", " ").capitalize())


def state_class(state: str) -> str:
    """Return how a state is coloured: nothing said is what waits for somebody."""
    kinds = (("good", GOOD_STATES), ("bad", BAD_STATES), ("calm", CALM_STATES))
    return next((name for name, states in kinds if state in states), "")


FILTERS: dict[str, Callable[..., str]] = {
    "when": when,
    "day_of": day_of,
    "time_of": time_of,
    "local_day": local_day,
    "day_name": day_name,
    "percent": percent,
    "in_words": in_words,
    "state_class": state_class,
    "initials": initials,
    "tone": tone,
    "weekday_name": weekday_name,
    "short_day": short_day,
    "month_name": month_name,
    "day_part": day_part,
    "language": language,
}
"""What templates may pipe one value through."""

FUNCTIONS: dict[str, Callable[..., object]] = {
    "money": money,
    "cost": cost,
    "steps_in_words": steps_in_words,
    "moved": moved,
    "plain_amount": plain_amount,
    "exact_share": exact_share,
    "code_refusal": code_refusal,
    "offset_words": offset_words,
}
"""What templates may call with two values."""
