"""Buying a session every week: the dates with what is free near them, and one price for all."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from web.client import Service, wrong_fields
from web.forms import as_instant
from web.pages.cancelling import only_shows
from web.pages.holding import accepted_policy, answers_of, code_named, keep, looks_like_id
from web.pages.mentors import instant_text
from web.pages.pricing import bill_of, code_of
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
    series = await _series(visit, offering_id, first, weeks)
    wanted = len(_chosen(visit)) or sum(each.free for each in series.dates) or weeks
    return visit.page(
        "series.html",
        bill=await bill_of(visit, offering, wanted),
        code=code_of(visit),
        wanted=wanted,
        offering=offering,
        mentor=mentor,
        first_text=instant_text(first),
        weeks=weeks,
        weeks_least=WEEKS_LEAST,
        weeks_most=WEEKS_MOST,
        series=series,
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
    if only_shows(visit):
        return await plan(visit)
    form = visit.form
    answers = await answers_of(visit)
    starts = _chosen(visit)
    if len(starts) < WEEKS_LEAST:
        raise wrong_fields(week_0=f"Choose at least {WEEKS_LEAST} times.")
    body = {
        "offering_id": form.text("offering_id"),
        "starts": starts,
        "accepted_policy": accepted_policy(form),
        "answers": answers,
        **code_named(visit),
    }
    return await keep(visit, "/v1/series", body)


def _chosen(visit: Visit) -> list[str]:
    """Return the times that were chosen, each once and in order."""
    form = visit.form
    typed = [form.text(name) for name in form.typed() if name.startswith(DATE_FIELD)]
    return sorted({each for each in typed if as_instant(each) is not None})


ROUTES: tuple[Row, ...] = (see("/series", plan), do("/series", hold, plan))
