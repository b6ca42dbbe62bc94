"""Search by what objects say (https://docs.stripe.com/search).

Clauses are `field:"text"`, `field~"part"`, `field>10` and the like, negated by a minus, joined by
AND or by OR, not both. Unlike Stripe's own, what is written is found at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from simulators.stripe.act import Act
from simulators.stripe.errors import InvalidParameters, Json
from simulators.stripe.params import LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, Params
from simulators.stripe.routes import Route

FIELDS = {
    "charge": frozenset({"amount", "created", "currency", "customer", "disputed", "refunded",
                         "status", "payment_method_details.card.last4"}),
    "payment_intent": frozenset({"amount", "created", "currency", "customer", "status"}),
    "customer": frozenset({"created", "email", "name", "phone"}),
}  # fmt: skip
"""What can be searched by besides metadata."""
_CLAUSE = re.compile(
    r"""\s*(?P<not>-?)(?:metadata\[(?P<q>["'])(?P<key>[^"']+)(?P=q)\]|(?P<field>[\w.]+))"""
    r"""(?P<is>:|~|>=|<=|>|<)(?:(?P<v>["'])(?P<text>[^"']*)(?P=v)|(?P<number>-?\d+)|(?P<null>null))"""
    r"""(?:\s+(?P<join>AND|OR)\s|\s*$)""",
    re.IGNORECASE,
)


class Search(Params):
    """What is looked for; `page` is the `next_page` of the answer before."""

    query: Annotated[str, Field(min_length=1, max_length=2000)]
    limit: Annotated[int, Field(ge=1, le=LIST_LIMIT_MAX)] = LIST_LIMIT_DEFAULT
    page: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")] | None = None


@dataclass(frozen=True)
class _Clause:
    field: str
    key: str | None
    relation: str
    wanted: str | int | None
    negated: bool

    def holds(self, body: Json) -> bool:
        return self._matches(_value(body, self)) != self.negated

    def _matches(self, found: Any) -> bool:
        if self.wanted is None or found is None:
            return found is None and self.wanted is None and self.relation == ":"
        if self.relation == "~":
            return str(self.wanted).lower() in str(found).lower()
        if self.relation == ":":
            return _alike(found) == _alike(self.wanted)
        least, most = int(found), int(self.wanted)
        orders = {">": least > most, "<": least < most, ">=": least >= most, "<=": least <= most}
        return orders[self.relation]


def _alike(value: object) -> str:
    return str(value).lower()


def _value(body: Json, clause: _Clause) -> Any:
    if clause.key is not None:
        return body["metadata"].get(clause.key)
    *path, last = clause.field.split(".")
    for step in path:
        body = body.get(step) or {}
    return body.get(last)


def _clauses(query: str, kind: str) -> tuple[list[_Clause], str]:
    clauses: list[_Clause] = []
    joins: set[str] = set()
    place = 0
    while place < len(query):
        found = _CLAUSE.match(query, place)
        if found is None or (found["field"] and found["field"] not in FIELDS[kind]):
            near = query[place:].split()[0]
            raise InvalidParameters(f"We were unable to parse your search query near {near}.",
                                    param="query")  # fmt: skip
        number = int(found["number"]) if found["number"] else None
        wanted = found["text"] if found["text"] is not None else number
        field = found["field"] or ""
        clauses.append(_Clause(field, found["key"], found["is"], wanted, bool(found["not"])))
        joins |= {found["join"].upper()} if found["join"] else set()
        place = found.end()
    if len(joins) > 1:
        raise InvalidParameters("You can't combine AND and OR in the same query.", param="query")
    return clauses, next(iter(joins), "AND")


def _search(act: Act, params: Search, kind: str, url: str) -> Json:
    clauses, join = _clauses(params.query, kind)
    fits = all if join == "AND" else any
    found = [
        filed.body
        for filed in reversed(act.store.everything(kind))
        if filed.owner == act.owner and fits(clause.holds(filed.body) for clause in clauses)
    ]
    first = int(params.page or 0)
    after = first + params.limit
    more = len(found) > after
    return {
        "object": "search_result",
        "data": found[first:after],
        "has_more": more,
        "next_page": str(after) if more else None,
        "url": url,
    }


def _route(kind: str, url: str) -> Route:
    def search(act: Act, params: Search, _ids: Mapping[str, str]) -> Json:
        return _search(act, params, kind, url)

    return Route("GET", url, Search, search)


ROUTES = (
    _route("charge", "/v1/charges/search"),
    _route("payment_intent", "/v1/payment_intents/search"),
    _route("customer", "/v1/customers/search"),
)
