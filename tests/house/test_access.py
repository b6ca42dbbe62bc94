"""Role × route × ownership: every route of every service is in the table, and obeys it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from uuid import UUID

import asyncpg
import pytest

from shared.auth import Role
from shared.contracts.topics import Service as ServiceName
from shared.ids import new_id
from shared.web.api import May, Route
from tests.engines import Database
from tests.house.access_table import ACCESS, Access, Owner
from tests.house.conftest import Describe, MakeDatabase, Serve, Served
from tests.house.sources import REPOSITORY, SERVICE_NAMES, broken, present_services

EVERY_ROLE = tuple(Role)
MENTOR_ID, MENTEE_ID = (UUID(int=number) for number in (0xA, 0xB))
PLANTED = {
    "order_id": UUID(int=0x1),
    "purchase_id": UUID(int=0xF1),
    "package_id": UUID(int=0xF2),
    "session_id": UUID(int=0x101),
    "offering_id": UUID(int=0xFF),
    "goal_id": UUID(int=0xEE),
    "calendar_id": UUID(int=0xDD),
    "entry_id": UUID(int=0xCC),
    "document_id": UUID(int=0xDC),
    "statement_id": UUID(int=0xDE),
    "promotion_id": UUID(int=0xB1),
    "plan_id": UUID(int=0xF4),
    "subscription_id": UUID(int=0xF5),
}
"""Of tests/ops/planted.sql, by the name of the path parameter."""
QUERIES = {
    "refund-preview": {"refund_basis_points": "0"},
    "yearly-summary": {"year": "2026"},
    "summary.csv": {"year": "2026"},
    "move-slots": {"from": "2026-03-06T00:00:00Z", "until": "2026-03-07T00:00:00Z"},
    "move-preview": {"starts_at": "2026-03-06T15:00:00Z"},
    "change-preview": {"plan_id": "00000000-0000-0000-0000-0000000000f4"},
}
"""What has to be asked, by the last word of the path."""
REFUSED_AT_THE_DOOR = (401, 403, 404, 422)


@pytest.mark.parametrize("service", present_services())
def test_the_table_names_every_route_and_no_other(describe: Describe, service: ServiceName):
    """A route without a row, a row without a route, and a route for others than the row says."""
    declared = {route.name: route.may for route in describe(service).api.routes}
    table = {name: access.may for name, access in ACCESS[service].items()}
    found = [f"{name} has no row" for name in declared.keys() - table.keys()]
    found += [f"{name} is no route" for name in table.keys() - declared.keys()]
    found += [
        f"{name} is declared for {_words(declared[name])}, the table says {_words(table[name])}"
        for name in declared.keys() & table.keys()
        if declared[name] != table[name]
    ]
    assert not found, broken(f"tests/house/access_table.py, services/{service}/api", found)


@pytest.mark.parametrize("service", present_services())
def test_a_path_with_an_id_says_whose_it_is(describe: Describe, service: ServiceName):
    """What is the caller's own needs no id of the caller; an id in the path belongs to somebody."""
    found = [
        name
        for name, access in ACCESS[service].items()
        if (access.owner is Owner.OWN and "{" in name)
        or (access.owner is Owner.PARTIES and "{" not in name)
        or (access.owner is Owner.OPERATORS) != (access.may.roles == {Role.OPERATOR})
    ]
    assert not found, broken("owner and path contradict each other", found)


@pytest.mark.parametrize("service", present_services())
async def test_strangers_are_turned_away_at_the_door(serve: Serve, service: ServiceName):
    """No token and a forged one give 401, a role the route is not for gives 403."""
    served = await serve(service)
    found: list[str] = []
    for route in served.service.api.routes:
        if route.may.anyone:
            continue
        attempts = [({}, 401), ({"Authorization": "Bearer a.b.c"}, 401)]
        if route.may.roles:
            others = [role for role in EVERY_ROLE if role not in route.may.roles]
            attempts += [(served.token(*others), 403)]
        for headers, status in attempts:
            answer = await _ask(served, route, headers)
            if answer != status:
                found.append(f"{route.name} answers {answer}, not {status}")
    assert not found, broken(f"services/{service}/api", found)


@pytest.mark.parametrize("service", present_services())
async def test_public_routes_need_no_token_and_believe_no_forged_one(
    serve: Serve, service: ServiceName
):
    """Who shows no token is served; who shows a false one is told so."""
    served = await serve(service)
    found: list[str] = []
    for route in served.service.api.routes:
        if not route.may.anyone:
            continue
        if await _ask(served, route, {}) in (401, 403):
            found.append(f"{route.name} asks for a token")
        if await _ask(served, route, {"Authorization": "Bearer a.b.c"}) != 401:
            found.append(f"{route.name} takes a forged token")
    assert not found, broken(f"services/{service}/api", found)


@pytest.mark.parametrize("service", present_services())
async def test_what_does_not_exist_looks_like_what_is_somebody_elses(
    serve: Serve, service: ServiceName
):
    """The right role with an id of nobody gets 404 from every route that needs no body."""
    served = await serve(service)
    found: list[str] = []
    for route in served.service.api.routes:
        row = ACCESS[service].get(route.name)
        if row is None or row.owner is not Owner.PARTIES or route.body is not None:
            continue
        answer = await _ask(served, route, served.token(*_roles(row)))
        if answer != 404:
            found.append(f"{route.name} answers {answer}")
    assert not found, broken(f"services/{service}: others' objects are 404", found)


@pytest.mark.parametrize("service", present_services())
async def test_others_things_are_shown_to_their_parties_alone(
    serve: Serve, database: MakeDatabase, service: ServiceName
):
    """With things that exist: a stranger with every role of a person gets 404, a party does not."""
    own = await database(*SERVICE_NAMES)
    await _plant(own)
    served = await serve(service, own)
    found: list[str] = []
    for route in served.service.api.routes:
        row = ACCESS[service][route.name]
        if row.owner is not Owner.PARTIES:
            continue
        answers = [
            await _ask(served, route, served.token(*_roles(row), person_id=person), PLANTED, row)
            for person in (new_id(), MENTOR_ID, MENTEE_ID)
        ]
        if answers[0] != 404:
            found.append(f"{route.name} answers {answers[0]} to a stranger")
        if max(answers) >= 500:
            found.append(f"{route.name} breaks: {answers}")
        if all(answer in REFUSED_AT_THE_DOOR for answer in answers[1:]):
            found.append(f"{route.name} answers {answers[1:]} to mentor and mentee")
    assert not found, broken(f"services/{service}: whose is it?", found)


async def _plant(own: Database) -> None:
    conn = await asyncpg.connect(own.superuser_url)
    await conn.execute((REPOSITORY / "tests" / "ops" / "planted.sql").read_text())
    await conn.close()


async def _ask(
    served: Served,
    route: Route,
    headers: dict[str, str],
    ids: Mapping[str, UUID] | None = None,
    row: Access | None = None,
) -> int:
    """Call a route with these ids, or with ids of nobody; return the status."""
    path = re.sub(r"\{(\w+)\}", lambda m: str((ids or {}).get(m[1]) or new_id()), route.path)
    sent = {"Idempotency-Key": str(new_id()), "If-Match": '"1"', **headers}
    query = QUERIES.get(path.rsplit("/", 1)[-1])
    body = row.body if row and row.body is not None else {}
    data = json.dumps(body) if route.body is not None else None
    if data:
        sent["Content-Type"] = "application/json"
    async with served.client.request(
        route.method, path, headers=sent, params=query, data=data
    ) as answer:
        return answer.status


def _roles(row: Access) -> frozenset[Role]:
    return row.may.roles or frozenset({Role.MENTEE, Role.MENTOR})


def _words(may: May) -> str:
    if may.anyone:
        return "anyone"
    return " or ".join(sorted(role.value for role in may.roles)) or "everybody signed in"
