"""Facts heard from `booking`, and what they make happen here."""

from __future__ import annotations

from services.profiles.commands.mentors import note_offering, note_opening
from services.profiles.commands.reviews import close_reviews, expect_reviews, open_reviews
from shared.contracts.booking import (
    BookingCancelled,
    BookingConfirmed,
    NextFreeChanged,
    NextFreeSnapshot,
    OfferingFact,
    OfferingPublished,
    OfferingSnapshot,
    OfferingWithdrawn,
    OpeningsFact,
    SessionCompleted,
)
from shared.db import Connection
from shared.inbox import Ears, Heard

EARS = Ears()
"""What this service obeys."""


async def hear_offering(conn: Connection, heard: Heard[OfferingFact]) -> None:
    """Follow what can be booked, for search."""
    await note_offering(conn, heard.fact)


def _follow_offerings(*kinds: type[OfferingFact]) -> None:
    for kind in kinds:
        EARS.on(kind)(hear_offering)


_follow_offerings(OfferingPublished, OfferingWithdrawn, OfferingSnapshot)


async def hear_opening(conn: Connection, heard: Heard[OpeningsFact]) -> None:
    """Follow when mentors are free next, for search."""
    await note_opening(conn, heard.fact)


def _follow_openings(*kinds: type[OpeningsFact]) -> None:
    for kind in kinds:
        EARS.on(kind)(hear_opening)


_follow_openings(NextFreeChanged, NextFreeSnapshot)


@EARS.on(BookingConfirmed)
async def hear_confirmed(conn: Connection, heard: Heard[BookingConfirmed]) -> None:
    """Expect reviews of the session."""
    await expect_reviews(conn, heard.fact)


@EARS.on(SessionCompleted)
async def hear_completed(conn: Connection, heard: Heard[SessionCompleted]) -> None:
    """Let both sides review."""
    await open_reviews(conn, heard.fact)


@EARS.on(BookingCancelled)
async def hear_cancelled(conn: Connection, heard: Heard[BookingCancelled]) -> None:
    """Expect no reviews any more."""
    await close_reviews(conn, heard.fact)
