"""Reading what people typed, and the two hidden fields that every form carries.

`csrf` proves that the form was rendered for this browser; `idempotency_key`, fresh with every
rendering, makes pressing the button twice count once.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from multidict import MultiMapping

from shared.ids import new_id
from shared.money import MAX_MINOR_OF_ALL, decimals
from web.client import wrong_fields
from web.session import Session

CSRF_FIELD = "csrf"
KEY_FIELD = "idempotency_key"
KEY_FORM = re.compile(r"^[A-Za-z0-9-]{8,64}$")
CLOCK_FORM = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")
AMOUNT_FORM = re.compile(r"^[0-9]{1,12}(\.[0-9]{1,3})?$")
PATH_FORM = re.compile(r"^/(?![/\\])[\x21-\x5b\x5d-\x7e]*$")
"""A path on this site: no second slash, no backslash, no control characters, no spaces."""
_SKIPPED_ZONES = ("Etc/", "SystemV/", "US/", "posix", "right")
SECRET_FIELDS = frozenset({"password", CSRF_FIELD, KEY_FIELD})
WHOLE_DIGITS = len(str(MAX_MINOR_OF_ALL))
YEARS = range(2000, 2200)
"""Of days and instants in addresses and forms: far enough from where the calendar ends to reckon
with, in every zone."""

ZONES: tuple[str, ...] = (
    "UTC",
    *sorted(z for z in available_timezones() if "/" in z and not z.startswith(_SKIPPED_ZONES)),
)
"""The zones a person may choose from, by IANA name."""
_KNOWN_ZONES = frozenset(available_timezones())


class FormForged(Exception):
    """A form was not rendered for this browser, or so long ago that its secret has changed."""


class Form:
    """The fields of a submitted form; what is missing reads as empty."""

    def __init__(self, fields: MultiMapping[object] | None = None) -> None:
        self._fields: dict[str, list[str]] = {}
        for name in fields or ():
            found = fields.getall(name) if fields else []
            # Files are never asked for; one that is sent all the same is no text.
            self._fields[name] = [value for value in found if isinstance(value, str)]

    def prove(self, session: Session) -> None:
        """Check the secret against the session's; raises `FormForged`."""
        if not secrets.compare_digest(self.text(CSRF_FIELD).encode(), session.csrf.encode()):
            raise FormForged

    @property
    def key(self) -> str:
        """Return the idempotency key rendered into the form, or a fresh one if it was damaged."""
        sent = self.text(KEY_FIELD)
        return sent if KEY_FORM.match(sent) else str(new_id())

    def text(self, name: str) -> str:
        """Return a field without surrounding blanks."""
        values = self._fields.get(name)
        return values[0].replace("\r\n", "\n").strip() if values else ""

    def secret(self, name: str) -> str:
        """Return a password exactly as typed."""
        values = self._fields.get(name)
        return values[0] if values else ""

    def needed(self, name: str, hint: str) -> str:
        """Return a field that may not be empty; raises `Refused` with the hint."""
        if text := self.text(name):
            return text
        raise wrong_fields(**{name: hint})

    def many(self, name: str) -> list[str]:
        """Return every value of a field that may be chosen several times."""
        return self._fields.get(name, [])

    def words(self, name: str) -> list[str]:
        """Return the parts of a field whose parts are separated by commas."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def whole(self, name: str, *, least: int, most: int) -> int:
        """Return a whole number within bounds; raises `Refused`."""
        number = as_whole(self.text(name))
        if number is None or not least <= number <= most:
            raise wrong_fields(**{name: f"Write a whole number from {least} to {most}."})
        return number

    def whole_if_any(self, name: str, *, least: int, most: int) -> int | None:
        """Return a whole number within bounds, or nothing if empty; raises `Refused`."""
        return self.whole(name, least=least, most=most) if self.text(name) else None

    def minor(self, name: str, currency: str) -> int:
        """Return an amount such as `120.50` in minor units; raises `Refused`."""
        digits = decimals(currency)
        text = self.text(name).replace(",", ".")
        amount = Decimal(text).scaleb(digits) if AMOUNT_FORM.match(text) else None
        if amount is None or amount != int(amount):
            example = f"120.{'0' * digits}" if digits else "120"
            raise wrong_fields(**{name: f"Write an amount like {example}."})
        return int(amount)

    def zone(self, name: str = "zone") -> str:
        """Return an IANA time zone; raises `Refused`."""
        text = self.text(name)
        if not is_zone(text):
            raise wrong_fields(**{name: "Choose a time zone from the list."})
        return text

    def day(self, name: str) -> str | None:
        """Return a date as YYYY-MM-DD, or nothing if empty; raises `Refused`."""
        text = self.text(name)
        if text and as_day(text) is None:
            raise wrong_fields(**{name: "Choose a date."})
        return text or None

    def date(self, name: str, hint: str) -> date:
        """Return a date that may not be left out; raises `Refused` with the hint."""
        if (found := as_day(self.text(name))) is None:
            raise wrong_fields(**{name: hint})
        return found

    def typed(self) -> dict[str, list[str]]:
        """Return what was typed, to show it again; never a password."""
        return {name: held for name, held in self._fields.items() if name not in SECRET_FIELDS}


def is_zone(text: str) -> bool:
    """Return whether `text` names an IANA time zone."""
    return text in _KNOWN_ZONES


def as_whole(text: str) -> int | None:
    """Return the whole number written in plain digits, no longer than an amount, or nothing."""
    good = text.isascii() and text.isdigit() and len(text) <= WHOLE_DIGITS
    return int(text) if good else None


def as_day(text: str) -> date | None:
    """Return the date written as YYYY-MM-DD, or nothing."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in YEARS else None


def as_instant(text: str) -> datetime | None:
    """Return the aware UTC instant of an ISO 8601 text with an offset, or nothing."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo and found.year in YEARS else None


def midnight(day: date, zone: str) -> datetime:
    """Return the UTC instant at which `day` begins in a zone."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def safe_path(text: str | None, otherwise: str = "/") -> str:
    """Return `text` if it is a path of this site, so that nobody is sent elsewhere by a link."""
    if not text or not PATH_FORM.match(text):
        return otherwise
    parts = urlsplit(text)
    return text if not parts.scheme and not parts.netloc else otherwise


def weekly_hours(form: Form) -> list[Mapping[str, object]]:
    """Return the weekly hours typed in, Monday being 0; raises `Refused`."""
    return [
        {"weekday": weekday, **span}
        for weekday in range(len(WEEKDAYS))
        for span in hours_of_day(form, str(weekday))
    ]


def hours_of_day(form: Form, day: str) -> list[Mapping[str, str]]:
    """Return the hours typed in as `starts_<day>_0`, `ends_<day>_0` and so on; raises `Refused`.

    A field of the clock knows no 24:00, so that midnight as an end is written 00:00.
    """
    found: list[Mapping[str, str]] = []
    for number in range(SPANS_AT_MOST):
        names = (f"starts_{day}_{number}", f"ends_{day}_{number}")
        starts, ends = (form.text(name)[:5] for name in names)
        if not starts and not ends:
            continue
        for name, text in zip(names, (starts, ends), strict=True):
            if not CLOCK_FORM.match(text):
                raise wrong_fields(**{name: "Write both times, like 09:00."})
        ends = DAYS_END if ends == MIDNIGHT else ends
        if starts >= ends:
            raise wrong_fields(**{names[1]: f"End after the beginning; {MIDNIGHT} is midnight."})
        found.append({"starts": starts, "ends": ends})
    return found


MIDNIGHT = "00:00"
DAYS_END = "24:00"
SPANS_SHOWN = 4
"""How many windows a day has room for; more where a mentor has more."""
SPANS_AT_MOST = 12
WEEKDAYS: Sequence[str] = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
