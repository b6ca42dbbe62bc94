"""Buying a session every week: the dates with what is free near them, and one price for all."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from web.client import Service, wrong_fields
from web.forms import as_instant
from web.pages.holding import accepted_policy, answers_of, keep, looks_like_id
from web.pages.mentors import instant_text
from web.routes import Row, do, see
from web.session_shapes import Series
from web.shapes import Mentor, Offering
from web.visit import Visit

WEEKS_LEAST, WEEKS_MOST, WEEKS_USUAL = 2, 26, 4
DATE_FIELD = "week_"
"""The choice of each week is a field of its own, so that a week can be left out."""


async def plan(visit: Visit) -> web.Response:
    """Show the weeks from a first time on: which are free, and what is free near the others."""
    offering_id = visit.form.text("offering_id") or visit.query("offering")
    first = as_instant(visit.form.text("first") or visit.query("starts_at"))
    if first is None or not looks_like_id(offering_id):
        raise wrong_fields(starts_at="Pick a time on the mentor's page.")
    weeks = _weeks(visit)
    offering = await visit.read(Service.BOOKING, f"/v1/offerings/{offering_id}", Offering)
    mentor = await visit.try_read(Service.PROFILES, f"/v1/mentors/{offering.mentor_id}", Mentor)
    return visit.page(
        "series.html",
        offering=offering,
        mentor=mentor,
        first_text=instant_text(first),
        weeks=weeks,
        weeks_least=WEEKS_LEAST,
        weeks_most=WEEKS_MOST,
        series=await _series(visit, offering_id, first, weeks),
    )


def _weeks(visit: Visit) -> int:
    text = visit.form.text("weeks") or visit.query("weeks")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(WEEKS_MOST))):
        return WEEKS_USUAL
    return min(max(int(text), WEEKS_LEAST), WEEKS_MOST)


async def _series(visit: Visit, offering_id: str, first: datetime, weeks: int) -> Series:
    path = f"/v1/offerings/{offering_id}/series"
    return await visit.read(
        Service.BOOKING, path, Series,
        starts_at=instant_text(first), weeks=weeks, viewer_zone=visit.zone,
    )  # fmt: skip


async def hold(visit: Visit) -> web.Response:
    """Keep all chosen times at once, and go on to the payment."""
    form = visit.form
    answers = await answers_of(visit)
    chosen = [form.text(name) for name in form.typed() if name.startswith(DATE_FIELD)]
    starts = sorted({each for each in chosen if as_instant(each) is not None})
    if len(starts) < WEEKS_LEAST:
        raise wrong_fields(week_0=f"Choose at least {WEEKS_LEAST} times.")
    body = {
        "offering_id": form.text("offering_id"),
        "starts": starts,
        "accepted_policy": accepted_policy(form),
        "answers": answers,
    }
    return await keep(visit, "/v1/series", body)


ROUTES: tuple[Row, ...] = (see("/series", plan), do("/series", hold, plan))
