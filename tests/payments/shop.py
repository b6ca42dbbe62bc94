"""A mentor who sells sessions in advance, and somebody who buys them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.auth import Role
from shared.contracts import booking
from shared.ids import new_id
from tests.payments.conftest import NOON, Bought, World

DAY = timedelta(days=1)
UNIT, LIST = 10_000, 12_000
WHOLE = 10_000
WORTH = "SELECT COALESCE(sum(remaining * unit_minor), 0)::bigint FROM lots"
KEPT = """
SELECT COALESCE(-sum(amount_minor), 0)::bigint FROM ledger_lines
WHERE account IN ('credits', 'sponsored')
"""
AMISS = "SELECT order_id FROM credits_leftovers"


@dataclass
class Shop:
    """A mentor with an offering, and somebody who buys."""

    world: World
    mentor_id: UUID = field(default_factory=new_id)
    buyer_id: UUID = field(default_factory=new_id)
    offering_id: UUID = field(default_factory=new_id)

    async def open(
        self, *, price_minor: int = LIST, currency: str = "USD", version: int = 1
    ) -> Shop:
        """Publish the offering, or tell its price anew."""
        fact = booking.OfferingPublished(
            offering_id=self.offering_id,
            mentor_id=self.mentor_id,
            title="Career talk",
            minutes=60,
            price_minor=price_minor,
            currency=currency,
            published=True,
            version=version,
        )
        assert await self.world.hear(fact) == "handled"
        return self

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: UUID | None = None,
        status: int = 200,
    ) -> Any:
        """Ask the API as somebody, by default as the buyer."""
        roles = (Role.MENTOR,) if who == self.mentor_id else (Role.MENTEE,)
        found, answer = await self.world.call(method, path, who or self.buyer_id, *roles, body=body)
        assert found == status, answer
        return answer

    async def package(self, sessions: int = 3, unit_minor: int = UNIT, months: int = 6) -> UUID:
        """Offer a package."""
        body = {
            "offering_id": str(self.offering_id),
            "sessions": sessions,
            "unit_price_minor": unit_minor,
            "valid_months": months,
        }
        made = await self.ask("POST", "/v1/me/packages", body, who=self.mentor_id, status=201)
        return UUID(made["package_id"])

    async def buy(self, sessions: int = 3, *, as_gift: bool = False, **more: Any) -> UUID:
        """Buy a package and pay for it; return the purchase."""
        package_id = await self.package(sessions, **more)
        path = f"/v1/packages/{package_id}/purchases"
        bought = await self.ask("POST", path, {"as_gift": as_gift}, status=201)
        return await self.pay(UUID(bought["purchase_id"]))

    async def give(self, what: str, sessions: int) -> UUID:
        """Buy a gift, or sessions for the fund, and pay."""
        body = {"offering_id": str(self.offering_id), "sessions": sessions}
        bought = await self.ask("POST", f"/v1/{what}", body, status=201)
        return await self.pay(UUID(bought["purchase_id"]))

    async def pay(self, order_id: UUID) -> UUID:
        """Pay on Stripe's page."""
        await self.world.rest()
        purchase = Bought(order_id, new_id(), self.mentor_id, self.buyer_id, 0, "USD")
        await self.world.pay(purchase)
        await self.world.rest()
        return order_id

    async def hold(self, *parts: int, who: UUID | None = None, **more: Any) -> Bought:
        """Let booking hold one session or more for somebody."""
        order = Bought(
            new_id(), new_id(), self.mentor_id, who or self.buyer_id, sum(parts) or LIST, "USD"
        )
        prices = parts or (LIST,)
        order.parts = dict.fromkeys([order.session_id], prices[0])
        order.parts |= {new_id(): price for price in prices[1:]}
        starts = NOON + 30 * DAY
        sold = [
            {
                "session_id": each,
                "starts_at": starts + 7 * place * DAY,
                "ends_at": starts + 7 * place * DAY + timedelta(hours=1),
                "price_minor": price,
            }
            for place, (each, price) in enumerate(order.parts.items())
        ]
        said = {
            "offering_id": self.offering_id,
            "title": "Career talk",
            "price_minor": order.price_minor,
            "currency": "USD",
            "hold_until": self.world.clock.now() + timedelta(minutes=15),
            "policy": {"preset": "standard", "policy_version": 1},
            "sessions": sold if len(sold) > 1 else [],
        }
        assert await self.world.say(booking.BookingHeld, order, **(said | more)) == "handled"
        return order

    async def book(self, *parts: int, who: UUID | None = None) -> Bought:
        """Hold and confirm a session that credits pay for."""
        order = await self.hold(*parts, who=who)
        assert (await self.world.order(order)).state == "paid"
        await self.world.say(booking.BookingConfirmed, order, title="Career talk")
        return order

    async def cancel(self, order: Bought, back: int, session_id: UUID | None = None) -> None:
        said = {"by": "mentee", "refund_basis_points": back}
        named = {"session_id": session_id} if session_id else {}
        await self.world.say(booking.BookingCancelled, order, **said, **named)
        await self.world.rest()

    async def complete(self, order: Bought) -> None:
        now = self.world.clock.now()
        await self.world.say(booking.SessionCompleted, order, by="system", completed_at=now)

    async def left(self, who: UUID | None = None) -> list[int]:
        """Return how many sessions somebody's lots have left."""
        found = await self.ask("GET", "/v1/me/credits", who=who)
        return [each["remaining"] for each in found["items"]]

    async def check(self) -> None:
        """Assert that what is left is what the ledger keeps, and that both books agree."""
        assert await self.world.pool.fetchval(WORTH) == await self.world.pool.fetchval(KEPT)
        assert not await self.world.pool.fetch(AMISS)
        await self.world.check_books()
