"""The stage: the store and the business clock together, opening acts in the right order of time."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from shared.clock import BusinessClock, to_epoch_seconds
from simulators.stripe.act import PLATFORM, Act, Cause
from simulators.stripe.faults import Faults
from simulators.stripe.store import Store
from simulators.stripe.timers import perform

CLOCK_POLL_SECONDS = 0.1
"""How often the business clock is looked at; nothing tells us when it is moved."""


class Stage:
    """Everything a running simulator holds."""

    def __init__(self, store: Store, clock: BusinessClock, public_url: str | None = None) -> None:
        """Hold the store and the clock; `public_url` is where browsers reach the pages."""
        self.store = store
        self.clock = clock
        self.public_url = public_url
        self.faults = Faults(store)
        self.heard = asyncio.Event()
        """Set when there may be something new to deliver."""

    def moment(self) -> int:
        """Return the business instant in whole epoch seconds, as Stripe counts."""
        return to_epoch_seconds(self.clock.now())

    @contextmanager
    def act(
        self, base_url: str = "", *, owner: str = PLATFORM, cause: Cause | None = None
    ) -> Generator[Act]:
        """Open an act at the present instant, after everything that is due has been done."""
        self.catch_up()
        moment = self.moment()
        with self.store.transaction():
            url = self.public_url or base_url
            yield Act(self.store, self.faults, moment, url, owner, cause or Cause())
        self.heard.set()

    def catch_up(self) -> None:
        """Do everything that is due, each thing as of its own instant and in its own commit."""
        now = self.moment()
        while (due := self.store.next_due()) and due.due_at <= now:
            with self.store.transaction():
                perform(Act(self.store, self.faults, due.due_at, self.public_url or ""), due)
                self.store.done(due)
            self.heard.set()

    async def keep_up(self) -> None:
        """Follow the business clock until cancelled."""
        while True:
            self.catch_up()
            await asyncio.sleep(CLOCK_POLL_SECONDS)
