"""Public holidays that mentors can pick as days off.

The library takes a second to load and a while for a country's first year, so it is loaded when
somebody asks, and whoever serves requests calls this in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from shared.errors import Kind, Refusal

_SMALL_WORDS = frozenset({"and", "of", "the"})
_NAMES = {"dr_congo": "DR Congo"}
_YEARS_KEPT = 512


class CountryUnknown(Refusal):
    """No public holidays are known for that country."""

    code = "country_unknown"
    kind = Kind.SHAPE
    detail = "Choose one of the countries that are listed."


@dataclass(frozen=True)
class Country:
    """A country by its ISO 3166-1 code."""

    code: str
    name: str


@dataclass(frozen=True)
class Holiday:
    """A day on which a whole country rests; the name is English where there is one."""

    on: date
    name: str


@cache
def countries() -> tuple[Country, ...]:
    """Return the countries whose holidays are known, by name."""
    from holidays.registry import COUNTRIES

    found = (Country(names[1], _name(words)) for words, names in COUNTRIES.items())
    return tuple(sorted(found, key=lambda country: country.name))


@lru_cache(_YEARS_KEPT)
def public_holidays(country: str, year: int) -> tuple[Holiday, ...]:
    """Return the public holidays of a country in a year, in order; raises `CountryUnknown`."""
    from holidays import country_holidays

    if country not in {each.code for each in countries()}:
        raise CountryUnknown
    found = country_holidays(country, years=year, language="en_US")
    return tuple(Holiday(on, name) for on, name in sorted(found.items()))


def _name(words: str) -> str:
    return _NAMES.get(words) or " ".join(_capital(words.split("_")))


def _capital(words: Iterable[str]) -> Iterable[str]:
    return (word if word in _SMALL_WORDS else word.capitalize() for word in words)
