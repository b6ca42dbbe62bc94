"""A mentee's goals."""

from __future__ import annotations

from aiohttp import web

from web.client import Service, not_here
from web.pages.accounts import VERSION_MOST
from web.routes import ID, Row, do, see
from web.shapes import Goal, Page
from web.visit import Visit

GOALS_SHOWN = 100
STATES = ("open", "reached", "dropped")


async def goals(visit: Visit) -> web.Response:
    """List one's goals, with a form for another."""
    found = await visit.read(Service.BOOKING, "/v1/goals", Page[Goal], limit=GOALS_SHOWN)
    return visit.page("goals.html", goals=found.items)


async def add_goal(visit: Visit) -> web.Response:
    """State a new goal."""
    await visit.send(Service.BOOKING, "POST", "/v1/goals", _stated(visit))
    return visit.go("/goals", "Your goal is noted.")


def _stated(visit: Visit) -> dict[str, object]:
    stated: dict[str, object] = {
        "title": visit.form.needed("title", "Say in a few words what you want to reach.")
    }
    if measure := visit.form.text("measure"):
        stated["measure"] = measure
    if target_on := visit.form.day("target_on"):
        stated["target_on"] = target_on
    return stated


async def goal(visit: Visit) -> web.Response:
    """Show one goal to change it."""
    found = await visit.read(Service.BOOKING, "/v1/goals", Page[Goal], limit=GOALS_SHOWN)
    mine = next((each for each in found.items if each.goal_id == visit.part("goal_id")), None)
    if mine is None:
        raise not_here()
    return visit.page("goal.html", goal=mine, version=mine.version or 0, states=STATES)


async def save_goal(visit: Visit) -> web.Response:
    """Change a goal, or say that it is reached."""
    version = visit.form.whole("version", least=0, most=VERSION_MOST)
    body = {"measure": None, "target_on": None, **_stated(visit), "state": visit.form.text("state")}
    path = f"/v1/goals/{visit.part('goal_id')}"
    await visit.send(Service.BOOKING, "PUT", path, body, version=version)
    return visit.go("/goals", "Your goal is saved.")


_ONE = f"/goals/{{goal_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see("/goals", goals),
    do("/goals", add_goal, goals),
    see(_ONE, goal),
    do(_ONE, save_goal, goal),
)
