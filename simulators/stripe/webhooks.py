"""Sending events to endpoints: signed, several at once, tried again until they are answered.

https://docs.stripe.com/webhooks. Signatures carry system time, since receivers compare with it.
Retries follow the system clock and are far quicker than Stripe's, for development.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

import aiohttp

from simulators.stripe.errors import Json
from simulators.stripe.stage import Stage
from simulators.stripe.store import Store

CONCURRENCY = 8
ANSWER_TIMEOUT_SECONDS = 10.0
RETRY_DELAYS_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""After the last of these, the last one again and again."""
GIVE_UP_SECONDS = 3 * 24 * 3600.0
POLL_SECONDS = 0.25
GATHER_SECONDS = 0.3
"""In mode `reverse`, events are gathered until none came for this long; then last goes first."""


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint."""

    seq: int
    event: str
    endpoint: str
    attempts: int
    born_at: float


def signature(payload: str, secrets: list[str], at: int) -> str:
    """Return the `Stripe-Signature` header: the time, and one `v1` per secret."""
    signed = f"{at}.{payload}".encode()
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


class Postman:
    """Takes due deliveries to their endpoints until cancelled."""

    def __init__(self, stage: Stage) -> None:
        """Deliver what is recorded in the stage's store."""
        self._stage = stage
        self._flying: dict[int, asyncio.Task[None]] = {}

    async def deliver_webhooks(self) -> None:
        """Run until cancelled; what is in the air then is sent again after the next start."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            try:
                while True:
                    self._stage.heard.clear()
                    self._take_off(session)
                    await self._pause()
            finally:
                for task in self._flying.values():
                    task.cancel()
                await asyncio.gather(*self._flying.values(), return_exceptions=True)

    def _take_off(self, session: aiohttp.ClientSession) -> None:
        for delivery in _due(self._stage.store, self._flying):
            task = asyncio.create_task(self._deliver(session, delivery))
            self._flying[delivery.seq] = task
            task.add_done_callback(lambda _, seq=delivery.seq: self._landed(seq))

    def _landed(self, seq: int) -> None:
        del self._flying[seq]
        self._stage.heard.set()

    async def _pause(self) -> None:
        # Not `wait_for`: on Python 3.11 it can swallow a cancellation that comes with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._stage.heard.wait()

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        event = self._stage.store.find(delivery.event)
        endpoint = self._stage.store.find(delivery.endpoint)
        if event is None or endpoint is None:
            return _record(self._stage.store, delivery, "failed", "endpoint removed")
        answer, delivered = await _post(session, endpoint.body["url"], event.body,
                                        endpoint.hidden["secrets"])  # fmt: skip
        state = "delivered" if delivered else "waiting"
        if not delivered and time.time() - delivery.born_at > GIVE_UP_SECONDS:
            state = "failed"
        return _record(self._stage.store, delivery, state, answer)


async def _post(
    session: aiohttp.ClientSession, url: str, event: Json, secrets: list[str]
) -> tuple[str, bool]:
    payload = json.dumps(event)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(payload, secrets, int(time.time())),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    try:
        async with session.post(
            url, data=payload.encode(), headers=headers, allow_redirects=False
        ) as answer:
            await answer.read()
            return str(answer.status), 200 <= answer.status < 300
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return type(error).__name__, False


def _due(store: Store, flying: dict[int, asyncio.Task[None]]) -> list[Delivery]:
    backwards = store.setting("webhooks").get("mode") == "reverse"
    if backwards and not _gathered(store):
        return []
    room = (1 if backwards else CONCURRENCY) - len(flying)
    order = "seq DESC" if backwards else "next_at, seq"
    rows = store.sql.execute(
        "SELECT seq, event, endpoint, attempts, born_at FROM deliveries "  # noqa: S608 - constants
        f"WHERE state = 'waiting' AND next_at <= ? ORDER BY {order} LIMIT ?",
        (time.time(), CONCURRENCY * 2),
    )
    return [Delivery(**dict(row)) for row in rows if row["seq"] not in flying][: max(room, 0)]


def _gathered(store: Store) -> bool:
    newest = store.sql.execute(
        "SELECT COALESCE(MAX(born_at), 0) AS at FROM deliveries WHERE state = 'waiting'"
    ).fetchone()
    return bool(newest["at"] <= time.time() - GATHER_SECONDS)


def _record(store: Store, delivery: Delivery, state: str, answer: str) -> None:
    step = min(delivery.attempts, len(RETRY_DELAYS_SECONDS) - 1)
    store.sql.execute(
        "UPDATE deliveries SET state = ?, attempts = attempts + 1, last_answer = ?, next_at = ? "
        "WHERE seq = ?",
        (state, answer, time.time() + RETRY_DELAYS_SECONDS[step], delivery.seq),
    )


def waiting(store: Store) -> int:
    """Return how many deliveries are still to be made (held and dropped ones are not)."""
    row = store.sql.execute("SELECT COUNT(*) AS n FROM deliveries WHERE state = 'waiting'")
    return int(row.fetchone()["n"])


def release(store: Store, *, copies: int, backwards: bool) -> int:
    """Let everything held go at once, in the order asked for; returns how many deliveries."""
    order = "DESC" if backwards else "ASC"
    held = store.sql.execute(
        f"SELECT seq, event, endpoint FROM deliveries WHERE state = 'held' ORDER BY seq {order}"  # noqa: S608
    ).fetchall()
    with store.transaction():
        for row in held:
            store.sql.execute("DELETE FROM deliveries WHERE seq = ?", (row["seq"],))
            send(store, row["event"], row["endpoint"], copies)
    return len(held) * copies


def send(store: Store, event: str, endpoint: str, copies: int = 1) -> None:
    """Queue an event for an endpoint, now."""
    now = time.time()
    store.sql.executemany(
        "INSERT INTO deliveries (event, endpoint, state, born_at, next_at) "
        "VALUES (?, ?, 'waiting', ?, ?)",
        [(event, endpoint, now, now)] * copies,
    )
