"""The names of the people on a page, asked for in one batch."""

from __future__ import annotations

from collections.abc import Iterable

from web.client import Service
from web.shapes import Page, PersonName
from web.visit import Visit

PEOPLE_AT_ONCE = 50
NAMELESS = "Somebody"


class Names(dict[str, str]):
    """Display names by person; whoever is not known is still called something."""

    def __missing__(self, person_id: str) -> str:
        """Return what to call a person whose name is not at hand."""
        return NAMELESS


async def names_of(visit: Visit, person_ids: Iterable[str]) -> Names:
    """Return display names; those of people beyond the first batch, or unknown, are left out."""
    wanted = sorted(set(person_ids))[:PEOPLE_AT_ONCE]
    if not wanted:
        return Names()
    found = await visit.try_read(
        Service.PROFILES, "/v1/people", Page[PersonName], ids=",".join(wanted)
    )
    return Names({each.person_id: each.name for each in found.items} if found else {})
