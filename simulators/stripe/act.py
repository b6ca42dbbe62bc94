"""One act on the simulator's stage: everything that happens in one transaction at one instant.

A request, a click on a hosted page, a control and a timer each open an act. It knows the instant of
the business clock, whose account is acted on, and which request caused it; through it handlers find
and file objects, announce events and say what shall happen later by itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from simulators.stripe.errors import Json, missing
from simulators.stripe.faults import Faults
from simulators.stripe.ids import kind_of, new_id
from simulators.stripe.store import Filed, Store

PLATFORM = "platform"
"""The owner of everything that belongs to the platform's own Stripe account."""
API_VERSION = "2026-10-28.endive"
"""The version of the platform's account: what events and unversioned requests use."""


@dataclass(frozen=True)
class Cause:
    """The API request behind an act; empty for timers, pages and controls."""

    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Act:
    """The context handlers work in; see the module."""

    store: Store
    faults: Faults
    moment: int
    base_url: str
    owner: str = PLATFORM
    cause: Cause = Cause()

    def acting_for(self, owner: str) -> Act:
        """Return the same act for another account."""
        return replace(self, owner=owner)

    def find(self, kind: str, identifier: str, *, param: str | None = None) -> Json:
        """Return an object of the acting account, or refuse as Stripe does."""
        filed = self.filed(kind, identifier)
        if filed is None:
            raise missing(kind.split(".")[-1], identifier, param=param)
        return filed.body

    def filed(self, kind: str, identifier: str) -> Filed | None:
        """Return an object of the acting account with its hidden side, or None."""
        filed = self.store.find(identifier)
        if filed is None or kind_of(identifier) != kind or filed.owner != self.owner:
            return None
        return filed

    def add(self, kind: str, body: Json, hidden: Json | None = None) -> Json:
        """File a new object of the acting account."""
        self.store.add(kind, self.owner, body, hidden or {})
        return body

    def save(self, body: Json, **changes: object) -> Json:
        """File an object with changes; returns the new body."""
        changed = {**body, **changes}
        self.store.save(changed)
        return changed

    def schedule(self, due_at: int, action: str, ref: str, *, rank: int = 1) -> None:
        """Have `action` done on `ref` at an instant; of those at one instant, low ranks first."""
        self.store.schedule(due_at, rank, action, ref)

    def announce(self, name: str, body: Json, previous: Json | None = None) -> None:
        """Record an event about an object and queue it for every endpoint that listens."""
        data: Json = {"object": body, **({"previous_attributes": previous} if previous else {})}
        event: Json = {
            "id": new_id("evt"),
            "object": "event",
            **({} if self.owner == PLATFORM else {"account": self.owner}),
            "api_version": API_VERSION,
            "created": self.moment,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {
                "id": self.cause.request_id,
                "idempotency_key": self.cause.idempotency_key,
            },
            "type": name,
        }
        self.add("event", {**event, "pending_webhooks": self._queue(event)})

    def changed(self, name: str, old: Json, new: Json) -> None:
        """Announce an update, naming the old values of what changed."""
        previous = {key: old.get(key) for key in new if old.get(key) != new[key]}
        self.announce(name, new, previous)

    def _queue(self, event: Json) -> int:
        connected = self.owner != PLATFORM
        count = 0
        for endpoint in self.store.everything("webhook_endpoint"):
            wanted = endpoint.body["enabled_events"]
            listens = "*" in wanted or event["type"] in wanted
            if listens and endpoint.hidden["connect"] == connected:
                self._enqueue(event["id"], endpoint.body["id"])
                count += 1
        return count

    def _enqueue(self, event_id: str, endpoint_id: str) -> None:
        mode = self.store.setting("webhooks")
        states = {"drop": "dropped", "hold": "held"}
        state = states.get(mode.get("mode", "normal"), "waiting")
        copies = 2 if mode.get("mode") == "duplicate" else 1
        born_at = time.time()
        row = (event_id, endpoint_id, state, born_at, born_at + mode.get("delay_seconds", 0.0))
        self.store.sql.executemany(
            "INSERT INTO deliveries (event, endpoint, state, born_at, next_at) VALUES (?,?,?,?,?)",
            [row] * copies,
        )
