"""A long conversation with an API by its own document, held by schemathesis.

Requests are made from the document, right ones and wrong ones, one by one and along the links. What
an answer must be is what the document says; what a request may be is looked at as well.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.auths import AuthContext
from schemathesis.checks import CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case

Json = dict[str, Any]
PEOPLE = ("mentee", "mentor", "operator")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia", "America/St_Johns")
SHAPE_CODES = ("shape_invalid", "json_invalid")
CHECKS: Json = {
    # The business may refuse what has the right shape: 412 (somebody changed it meanwhile), 422
    # (two fields contradict each other), 400 (a webhook that Stripe did not sign), 429 (an
    # address with too many wrong passwords). That it is not the shape which was refused is looked
    # at by `the_document_is_as_strict_as_the_server`.
    "positive_data_acceptance": {
        "expected-statuses": ["2xx", "400", "401", "403", "404", "409", "412", "422", "429"]
    },
    # An If-Match that no answer of ours gave is an outdated one: 412.
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "403", "404", "409", "412", "415", "422", "428"]
    },
    # A required If-Match or Idempotency-Key that is absent: 428 (RFC 6585).
    "missing_required_header": {"expected-statuses": ["400", "401", "403", "404", "428"]},
    # Whose things are shown to whom is tried with every role in tests/house/test_access.py; this
    # check would need its own way of signing in.
    "object_level_authorization": {"enabled": False},
}

schemathesis.openapi.format("iana-time-zone", st.sampled_from(ZONES))
schemathesis.openapi.format(
    "date-time",
    st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 30)).map(
        lambda instant: instant.replace(tzinfo=UTC).isoformat()
    ),
)
schemathesis.openapi.format(
    "email", st.text(string.ascii_lowercase, min_size=1, max_size=8).map("{}@mentorium.test".format)
)


class ShapeRefused(Failure):
    """The document takes a request whose shape the server refuses."""


@schemathesis.check
def the_document_is_as_strict_as_the_server(
    _context: CheckContext, response: Response, case: Case
) -> None:
    """Fail when what was made from the document does not have the server's shape."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in (400, 422):
        return
    problem = response.json()
    if problem["code"] in SHAPE_CODES:
        raise ShapeRefused(
            operation=case.operation.label, title="Shape refused", message=str(problem)
        )


@dataclass
class Talk:
    """What was said: how many requests by kind and status, and what was wrong with the answers."""

    kinds: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[int] = field(default_factory=Counter[int])
    served: set[str] = field(default_factory=set[str])
    """The routes that answered with a success at least once."""
    wrong: list[str] = field(default_factory=list[str])


class People:
    """Signs each request for somebody the route is for, in turn."""

    def __init__(self, sign: Callable[[str], str]) -> None:
        """Sign by `sign`, which gives a fresh Authorization header of one of `PEOPLE`."""
        self._sign = sign
        self._turn = 0

    def get(self, case: Case, _context: AuthContext) -> str:
        """Return the header of the next person."""
        roles = case.operation.definition.raw.get("security", [{}])[0].get("person", [])
        names = roles or PEOPLE
        self._turn += 1
        return self._sign(names[self._turn % len(names)])

    def set(self, case: Case, token: str, _context: AuthContext) -> None:
        """Show the token where one is asked for."""
        if "security" in case.operation.definition.raw:
            case.headers["Authorization"] = token


def talk(document: Json, url: str, people: People, how: Json) -> Talk:
    """Talk with the API at `url`; `how` is schemathesis's configuration. Return what was said."""
    settings = SchemathesisConfig.from_dict(
        {"base-url": url, "continue-on-failure": True, "checks": CHECKS, **how}
    )
    schema = schemathesis.openapi.from_dict(document, config=settings)
    schema.auth(refresh_interval=None)(_provider(people))
    said = Talk()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(event, said)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            said.wrong.append(str(getattr(event, "info", event)))
    return said


def _provider(people: People) -> type[Any]:
    """Return these people as a class, which is what schemathesis takes."""

    class Signed:
        get = staticmethod(people.get)
        set = staticmethod(people.set)

    return Signed


def _note(event: events.ScenarioFinished, said: Talk) -> None:
    for case_id, exchange in event.recorder.interactions.items():
        if exchange.response is None:
            continue
        said.kinds[event.phase.value] += 1
        status = exchange.response.status_code
        said.statuses[status] += 1
        node = event.recorder.cases.get(case_id)
        if status < 300 and node is not None:
            said.served.add(node.value.operation.label)
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.failure_info:
                told = check.failure_info
                said.wrong.append(f"{event.label} {check.name}: {told.failure}\n{told.code_sample}")
