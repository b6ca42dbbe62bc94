"""The event list and the endpoints that hear of events (https://docs.stripe.com/api/events)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from simulators.stripe.act import API_VERSION, PLATFORM, Act
from simulators.stripe.errors import InvalidParameters, Json
from simulators.stripe.ids import new_id
from simulators.stripe.lists import listing, page
from simulators.stripe.params import (
    NO_METADATA,
    ListParams,
    Metadata,
    Page,
    Params,
    merged_metadata,
)
from simulators.stripe.routes import Route

EVENTS_SCANNED_MAX = 10_000
TYPES_MAX = 20


class ListEvents(ListParams):
    """Filters of the list of events."""

    type: str | None = None
    types: Annotated[list[str], Field(max_length=TYPES_MAX)] | None = None
    delivery_success: bool | None = None


class CreateEndpoint(Params):
    """A place to send events to; `connect` endpoints hear connected accounts only."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    enabled_events: list[str]
    api_version: str | None = None
    connect: bool = False
    description: str | None = None
    metadata: Metadata = NO_METADATA


class UpdateEndpoint(Params):
    """What can be changed on an endpoint."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    enabled_events: list[str] | None = None
    description: str | None = None
    metadata: Metadata | None = None


def undelivered(act: Act, event_id: str) -> int:
    """Return how many endpoints have not answered an event with success."""
    row = act.store.sql.execute(
        "SELECT COUNT(DISTINCT endpoint) AS n FROM deliveries AS d WHERE event = ? AND NOT EXISTS "
        "(SELECT 1 FROM deliveries WHERE event = d.event AND endpoint = d.endpoint "
        "AND state = 'delivered')",
        (event_id,),
    ).fetchone()
    return int(row["n"])


def _current(act: Act, event: Json) -> Json:
    return {**event, "pending_webhooks": undelivered(act, event["id"])}


def retrieve_event(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return an event as it was announced."""
    return _current(act, act.find("event", ids["id"]))


def list_events(act: Act, params: ListEvents, _ids: Mapping[str, str]) -> Json:
    """Return a page of events; `delivery_success` keeps those delivered, or not, everywhere."""
    if params.type and params.types:
        raise InvalidParameters("You may only specify one of these parameters: type, types.")
    wanted = params.types or ([params.type] if params.type else [])
    simple = len(wanted) < 2 and not any("*" in name for name in wanted)
    if params.delivery_success is None and simple:
        answer = page(act, "event", params, "/v1/events", {"type": wanted[0] if wanted else None})
        return {**answer, "data": [_current(act, event) for event in answer["data"]]}
    return _sifted(act, params, wanted)


def _sifted(act: Act, params: ListEvents, wanted: list[str]) -> Json:
    unlimited = params.model_copy(update={"limit": EVENTS_SCANNED_MAX})
    every = page(act, "event", unlimited, "/v1/events")["data"]
    found = [event for event in every if _fits(act, event, params.delivery_success, wanted)]
    backwards = params.ending_before is not None
    shown = found[-params.limit :] if backwards else found[: params.limit]
    more = len(found) > params.limit
    return listing([_current(act, event) for event in shown], "/v1/events", has_more=more)


def _fits(act: Act, event: Json, delivered: bool | None, wanted: list[str]) -> bool:
    named = not wanted or any(_matches(event["type"], pattern) for pattern in wanted)
    if not named or delivered is None:
        return named
    return (undelivered(act, event["id"]) == 0) == delivered


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))


def create_endpoint(act: Act, params: CreateEndpoint, _ids: Mapping[str, str]) -> Json:
    """Add an endpoint; its secret is shown in this answer only."""
    secret = f"whsec_{new_id('s')[2:]}"
    body = _endpoint(act, new_id("we"), params)
    act.add("webhook_endpoint", body, {"connect": params.connect, "secrets": [secret]})
    return {**body, "secret": secret}


def _endpoint(act: Act, identifier: str, params: CreateEndpoint) -> Json:
    return {
        "id": identifier,
        "object": "webhook_endpoint",
        "api_version": params.api_version,
        "application": None,
        "created": act.moment,
        "description": params.description,
        "enabled_events": params.enabled_events,
        "livemode": False,
        "metadata": params.metadata,
        "status": "enabled",
        "url": params.url,
    }


def set_endpoint(
    act: Act, role: Literal["platform", "connect"], url: str, secrets: list[str]
) -> None:
    """Make or renew one of the two endpoints given at the start of the simulator."""
    identifier = f"we_{role}"
    params = CreateEndpoint(url=url, enabled_events=["*"], api_version=API_VERSION)
    body = _endpoint(act, identifier, params)
    hidden = {"connect": role == "connect", "secrets": secrets}
    if act.store.find(identifier) is None:
        act.add("webhook_endpoint", body, hidden)
    else:
        act.save(body)
        act.store.hide(identifier, hidden)


def retrieve_endpoint(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return an endpoint."""
    return act.find("webhook_endpoint", ids["id"])


def update_endpoint(act: Act, params: UpdateEndpoint, ids: Mapping[str, str]) -> Json:
    """Change an endpoint."""
    old = act.find("webhook_endpoint", ids["id"])
    given = params.model_dump(exclude={"expand", "metadata"}, exclude_none=True)
    return act.save(old, **given, metadata=merged_metadata(old["metadata"], params.metadata))


def delete_endpoint(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Remove an endpoint; what it has not heard yet, it will not hear."""
    act.find("webhook_endpoint", ids["id"])
    act.store.sql.execute("DELETE FROM objects WHERE id = ?", (ids["id"],))
    act.store.sql.execute("DELETE FROM deliveries WHERE endpoint = ?", (ids["id"],))
    return {"id": ids["id"], "object": "webhook_endpoint", "deleted": True}


def list_endpoints(act: Act, params: Page, _ids: Mapping[str, str]) -> Json:
    """Return a page of endpoints."""
    return page(act.acting_for(PLATFORM), "webhook_endpoint", params, "/v1/webhook_endpoints")


ROUTES = (
    Route("GET", "/v1/events", ListEvents, list_events),
    Route("GET", "/v1/events/{id}", Params, retrieve_event),
    Route("POST", "/v1/webhook_endpoints", CreateEndpoint, create_endpoint),
    Route("GET", "/v1/webhook_endpoints", Page, list_endpoints),
    Route("GET", "/v1/webhook_endpoints/{id}", Params, retrieve_endpoint),
    Route("POST", "/v1/webhook_endpoints/{id}", UpdateEndpoint, update_endpoint),
    Route("DELETE", "/v1/webhook_endpoints/{id}", Params, delete_endpoint),
)
