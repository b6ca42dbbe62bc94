"""A mentor's plan and who subscribes to it, as the tests of plans tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.payments.conftest import World
from tests.payments.shop import Shop

UNIT = 10_000
SESSIONS = 4
MONTH = UNIT * SESSIONS
FAILING_CARD = "4000000000000341"
GOOD_CARD = "4242424242424242"
HOUR = timedelta(hours=1)
LEFTOVERS = "SELECT order_id FROM plan_leftovers"
ORDERS_TRIED = 2


@dataclass
class Study:
    """A mentor with a plan, and somebody who subscribes to it."""

    shop: Shop
    subscription_id: UUID | None = None

    @property
    def world(self) -> World:
        return self.shop.world

    async def plan(self, sessions: int = SESSIONS, unit_minor: int = UNIT) -> str:
        """Offer a plan."""
        body = {
            "offering_id": str(self.shop.offering_id),
            "sessions": sessions,
            "unit_price_minor": unit_minor,
        }
        made = await self.shop.ask(
            "POST", "/v1/me/plans", body, who=self.shop.mentor_id, status=201
        )
        return str(made["plan_id"])

    async def begin(self, plan_id: str) -> Any:
        """Begin to subscribe; return the subscription once its page is open."""
        begun = await self.shop.ask("POST", f"/v1/plans/{plan_id}/subscriptions", status=202)
        self.subscription_id = UUID(begun["subscription_id"])
        await self.world.rest()
        return await self.show()

    async def pay(self, card: str = GOOD_CARD) -> None:
        """Pay on Stripe's page."""
        page = str((await self.show())["url"]).rsplit("/", 1)[-1]
        _, paid = await self.world.sim("POST", f"checkout/{page}/pay", {"card": card})
        assert paid["status"] == "complete", paid

    async def subscribe(self) -> Any:
        """Subscribe and pay the first month."""
        await self.begin(await self.plan())
        await self.pay()
        await self.world.rest()
        return await self.show()

    async def show(self, who: UUID | None = None) -> Any:
        """Show the subscription."""
        return await self.shop.ask("GET", f"/v1/subscriptions/{self.subscription_id}", who=who)

    async def do(self, what: str, body: Any = None, *, who: UUID | None = None) -> Any:
        """Do something about the subscription, and let Stripe answer."""
        path = f"/v1/subscriptions/{self.subscription_id}/{what}"
        await self.shop.ask("POST", path, body, who=who, status=202)
        await self.world.rest()
        return await self.show()

    async def refuse_mentor(self, what: str, body: Any = None) -> None:
        """Assert that the mentor may not do what costs the mentee something."""
        path = f"/v1/subscriptions/{self.subscription_id}/{what}"
        refused = await self.shop.ask("POST", path, body, who=self.shop.mentor_id, status=403)
        assert refused["code"] == "only_the_payer"

    async def turn(self, name: str) -> None:
        """Let one loop do what is due."""
        (loop,) = (each for each in self.world.loops if each.name == name)
        while await loop.step():
            pass

    async def renew(self) -> Any:
        """Let the month end, and the next one be paid if it is to be."""
        end = datetime.fromisoformat((await self.show())["period_end"])
        await self.world.advance(end + 3 * HOUR - self.world.clock.now())
        return await self.show()

    async def stripes(self, kind: str) -> list[Any]:
        """Return what Stripe has of a kind."""
        history = (await self.world.sim("GET", "history"))[1]["objects"]
        return history[kind]

    async def fail(self) -> None:
        """Let every later payment fail."""
        (subscription,) = await self.stripes("subscription")
        await self.world.sim("POST", f"subscriptions/{subscription['id']}/card",
                             {"card": FAILING_CARD})  # fmt: skip

    async def check(self) -> None:
        """Assert that every paid invoice is a purchase, and that the books agree."""
        await self.shop.check()
        assert not await self.world.pool.fetch(LEFTOVERS)
        paid = sum(each["status"] == "paid" for each in await self.stripes("invoice"))
        bought = await self.world.pool.fetchval("SELECT count(*) FROM orders WHERE kind = 'plan'")
        assert bought == paid
