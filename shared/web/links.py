"""Where an answer leads: OpenAPI links, found by names.

A field has one name throughout an API. So an answer that holds `order_id` leads to every route with
`{order_id}` in its path, and the ETag of something to the route that replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.web.api import Api, Route

Json = dict[str, Any]
_PARAMETER = re.compile(r"\{(\w+)\}")
_CHILD = re.compile(r"/\{\w+\}$")


def links_of(route: Route, api: Api, fields: Iterable[str]) -> Json:
    """Return the links of a good answer; `fields` are JSON pointers into its body."""
    places = {pointer.rsplit("/", 1)[-1]: f"$response.body#{pointer}" for pointer in fields}
    places |= {name: f"$request.path.{name}" for name in route.path_types}
    found: Json = {}
    for target in api.routes:
        name = operation_id(target)
        link = _link(route, target, places)
        if name in route.links:
            link = {**(link or {}), "requestBody": route.links[name]}
        if link is not None:
            found[name] = {"operationId": name, **link}
    return found


def operation_id(route: Route) -> str:
    """Return the name of a route in the document: that of its handler."""
    return str(getattr(route.handler, "__name__", route.name))


def _link(route: Route, target: Route, places: Mapping[str, str]) -> Json | None:
    wanted = _PARAMETER.findall(target.path)
    if target is route or not all(name in places for name in wanted):
        return None
    parameters = {f"path.{name}": places[name] for name in wanted}
    if target.versioned:
        if not (route.tagged and _is_about(route.path, target.path)):
            return None
        parameters["header.If-Match"] = "$response.header.ETag"
    return {"parameters": parameters} if parameters else None


def _is_about(path: str, target: str) -> bool:
    """Return whether an answer at `path` shows what stands at `target`: itself, or what it made."""
    is_item = target.endswith("}")
    made = is_item and _CHILD.sub("", target) == path
    return path == target or made or (is_item and path.startswith(f"{target}/"))
