"""Cursor pages and expansion, the same for every resource.

Pages: https://docs.stripe.com/api/pagination. Expansion: https://docs.stripe.com/api/expanding_objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from simulators.stripe.act import Act
from simulators.stripe.errors import InvalidParameters, Json
from simulators.stripe.ids import kind_of
from simulators.stripe.params import Created, ListParams, Page

EXPAND_DEPTH_MAX = 4
END_OF_TIME = 2**62

EXPANDABLE = frozenset(
    "balance_transaction charge customer destination destination_payment "
    "destination_payment_refund failure_balance_transaction latest_charge payment_intent source "
    "source_refund source_transaction source_transfer source_transfer_reversal transfer "
    "transfer_reversal account invoice latest_invoice payment product subscription".split()
)

Parts = Mapping[tuple[str, str], Callable[[Act, Json], Json]]
"""Lists that are left out unless asked for: (object kind, field) → how to make them."""


def page(
    act: Act, kind: str, params: Page, url: str, filters: Mapping[str, object] | None = None
) -> Json:
    """Return one page of the acting account's objects, newest first."""
    if params.starting_after and params.ending_before:
        both = "You may only specify one of these parameters: starting_after, ending_before."
        raise InvalidParameters(both, code="parameters_exclusive")
    rows = act.store.page(
        kind,
        act.owner,
        filters or {},
        params.limit + 1,
        before_seq=_cursor(act, kind, params.starting_after, "starting_after"),
        after_seq=_cursor(act, kind, params.ending_before, "ending_before"),
        created=_span(params.created) if isinstance(params, ListParams) else None,
    )
    backwards = params.ending_before is not None
    shown = rows[-params.limit :] if backwards else rows[: params.limit]
    return listing([row.body for row in shown], url, has_more=len(rows) > params.limit)


def listing(data: list[Json], url: str, *, has_more: bool = False) -> Json:
    """Return a list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _cursor(act: Act, kind: str, identifier: str | None, param: str) -> int | None:
    if identifier is None:
        return None
    filed = act.filed(kind, identifier)
    if filed is None:
        name = kind.split(".")[-1]
        message = f"No such {name}: '{identifier}'"
        raise InvalidParameters(message, code="resource_missing", param=param)
    return filed.seq


def _span(created: int | Created | None) -> tuple[int, int] | None:
    if isinstance(created, int):
        return created, created + 1
    if created is None:
        return None
    lower = max(created.gte or 0, 0 if created.gt is None else created.gt + 1)
    upper = created.lt if created.lt is not None else END_OF_TIME
    return lower, upper if created.lte is None else min(upper, created.lte + 1)


def expanded(act: Act, answer: Json, paths: tuple[str, ...], parts: Parts) -> Json:
    """Return the answer with the fields named by `expand[]` turned into objects."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > EXPAND_DEPTH_MAX:
            depth = f"You cannot expand more than {EXPAND_DEPTH_MAX} levels of a property."
            raise InvalidParameters(depth, param="expand")
        answer = _expand(act, answer, steps, path, parts)
    return answer


def _expand(act: Act, node: Json, steps: list[str], path: str, parts: Parts) -> Json:
    field, rest = steps[0], steps[1:]
    if field == "data" and node.get("object") == "list":
        return {**node, "data": [_expand(act, one, rest, path, parts) for one in node["data"]]}
    part = parts.get((str(node.get("object")), field))
    value: object = part(act, node) if part else node.get(field)
    if part is None and (field not in EXPANDABLE or field not in node):
        raise InvalidParameters(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(value, str):
        value = _looked_up(act, value)
    if rest and isinstance(value, dict):
        value = _expand(act, cast("Json", value), rest, path, parts)
    return {**node, field: value}


def _looked_up(act: Act, identifier: str) -> Json | str:
    filed = act.store.find(identifier) if kind_of(identifier) else None
    return filed.body if filed else identifier
