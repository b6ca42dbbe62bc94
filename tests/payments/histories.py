"""Made-up histories of purchases: what people, booking, Stripe and bad luck do, by dice.

The dice alone decide what happens, so the same seed makes the same history; only the ids differ,
and how far the workers came in between.
Workers are dropped before a call to Stripe and after it, which are the only places between their
transactions. Time that the system would merely wait (back-off, leases) is skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from services.payments.commands.operations import retry_operation
from shared.auth import Role
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.contracts.envelope import Fact
from shared.db import in_transaction
from shared.ids import new_id
from tests.payments.conftest import Bought, World
from tests.payments.drawing import CARDS, Rule, Taken, draw_price, draw_rule
from tests.payments.mortal import CALLS, FAULTS, HURRY, Died, MortalGateway

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CALL_SECONDS = 0.15
SETTLE_SECONDS = 60.0
GRACE = timedelta(minutes=2)
TRANSFERRED_AFTER = timedelta(days=2, hours=12)
"""Release and transfer, before the money is paid out."""
SETTLED_AFTER = timedelta(days=8)
"""Release, transfer, payout and the bank's day, counted from the end of the last session."""
FLOAT_MINOR = 9_000_000
DUE = "SELECT min(due_at) FROM due"
UNDETERMINED = """
SELECT operation_id FROM operations
WHERE state = 'undetermined' AND outcome->>'because' NOT LIKE 'not recorded%'
"""
SHORT = """
SELECT DISTINCT currency FROM refunds WHERE state = 'issued'
UNION SELECT parameters->>'currency' FROM operations WHERE state IN ('planned', 'sent')
    AND kind = 'transfer.create'
"""


@dataclass
class Purchase:
    """One purchase as booking decided it; `refunded` is the fraction that goes back.

    Of one whose money `moved_later`, because a bank disputed it or an operator gave back more, only
    what each side has in the end is certain.
    """

    bought: Bought
    hold_until: datetime
    time_sold: bool
    taken: Taken = field(default_factory=Taken)
    state: str = "held"
    refunded: int | None = None
    released_from: datetime | None = None
    moved_later: bool = False


@dataclass
class History:
    """A world and the dice that say what happens in it."""

    world: World
    gateway: MortalGateway
    dice: Random
    purchases: list[Purchase] = field(default_factory=list[Purchase])
    mentors: list[UUID] = field(default_factory=list[UUID])
    disputes: list[str] = field(default_factory=list[str])
    rule: Rule = field(default_factory=Rule)
    _rule_version: int | None = None
    _heard: int = 0

    async def happen(self, purchases: int, steps: int) -> None:
        """Let a history happen, and bring everything in it to its end."""
        self.mentors = [new_id(), new_id()]
        await self._connect(self.mentors[0])
        self.gateway.dice = Random(self.dice.random())
        for _ in range(purchases):
            await self._hold()
            await self._begin()
        for _ in range(steps):
            await self.dice.choice(self._possible())()
            await self._work()
        await self._end()

    async def _begin(self) -> None:
        """Let most purchases come as far as their page, and most pages be paid in time."""
        if self.dice.random() < 0.8:
            await self._settle()
            await self._pay()
        await self._work()

    def _possible(self) -> list[Callable[[], Awaitable[object]]]:
        """Return what may happen next; what is named twice happens twice as often."""
        return [
            self._pay, self._pay, self._pay, self._listen, self._listen, self._cancel,
            self._complete, self._give_up, self._meet_trouble, self._meet_trouble,
            self._change_webhooks, self._pass_time, self._pass_time, self._settle,
            self._restrict, self._return_refund, self._fail_payout, self._hold,
            self._dispute, self._dispute, self._decide_dispute, self._give_back,
            self._give_back, self._give_back,
        ]  # fmt: skip

    async def _hold(self) -> None:
        if self.dice.random() < 0.5:
            await self._make_rule()
        await self._sell(*draw_price(self.dice), self.dice.choice(self.mentors),
                         time_sold=self.dice.random() < 0.5)  # fmt: skip

    async def _sell(self, price: int, currency: str, mentor: UUID, *, time_sold: bool) -> Bought:
        bought = await self.world.hold(price, currency, mentor)
        until = self.world.clock.now() + timedelta(minutes=15)
        self.purchases.append(Purchase(bought, until, time_sold, self.rule.of(currency)))
        return bought

    async def _make_rule(self) -> None:
        """Let an operator make a rule of what is taken of whatever is bought from now on."""
        self.rule = draw_rule(self.dice)
        body = self.rule.body() | {"instead_of": self._rule_version}
        path, operator = "/v1/operator/fees", new_id()
        status, made = await self.world.call("POST", path, operator, Role.OPERATOR, body=body)
        assert status == 202, made
        self._rule_version = made["details"]["version"]

    async def _pay(self) -> None:
        purchase = self.dice.choice((self.purchases[-1], self.dice.choice(self.purchases)))
        card, authenticates = self.dice.choice(CARDS), self.dice.choice((True, False, None))
        checkout_id = (await self.world.order(purchase.bought)).checkout_id
        if checkout_id:
            # A closed page refuses, and a declined card is no news: both are part of the play.
            body = {"card": card, "authenticate": authenticates}
            await self.world.sim("POST", f"checkout/{checkout_id}/pay", body)

    async def _listen(self) -> bool:
        """Let booking hear what payments told since, and its own clock; return whether it acts."""
        before = [purchase.state for purchase in self.purchases]
        told = await self.world.facts()
        for fact in told[self._heard :]:
            if isinstance(fact, facts.PaymentSucceeded):
                await self._hear_payment(self._purchase(fact.order_id))
            elif isinstance(fact, facts.CheckoutClosed):
                await self._expire(self._purchase(fact.order_id))
        self._heard = len(told)
        for purchase in self.purchases:
            if self.world.clock.now() >= purchase.hold_until + GRACE:
                await self._expire(purchase)
        return before != [purchase.state for purchase in self.purchases]

    async def _hear_payment(self, purchase: Purchase) -> None:
        if purchase.state == "held" or (purchase.state == "expired" and not purchase.time_sold):
            purchase.state = "confirmed"
            await self._say(purchase, booking.BookingConfirmed, title="Career talk")
        elif purchase.state == "expired":
            purchase.state, purchase.refunded = "lost", 10_000
            await self._say(purchase, booking.BookingLost, reason="time_sold")

    async def _expire(self, purchase: Purchase) -> None:
        if purchase.state == "held":
            purchase.state = "expired"
            await self._say(purchase, booking.BookingExpired)

    async def _give_up(self) -> None:
        await self._expire(self.dice.choice(self.purchases))

    async def _cancel(self) -> None:
        purchase = self._confirmed()
        if purchase:
            by = self.dice.choice(("mentee", "mentor", "operator"))
            purchase.state = "cancelled"
            purchase.refunded = self.dice.choice((0, 10_000, self.dice.randint(1, 9_999)))
            purchase.released_from = self.world.clock.now()
            share = {"by": by, "refund_basis_points": purchase.refunded}
            await self._say(purchase, booking.BookingCancelled, **share)

    async def _complete(self) -> None:
        purchase = self._confirmed()
        if purchase:
            now = self.world.clock.now()
            purchase.state, purchase.refunded, purchase.released_from = "completed", 0, now
            await self._say(purchase, booking.SessionCompleted, by="system", completed_at=now)

    def _confirmed(self) -> Purchase | None:
        found = [purchase for purchase in self.purchases if purchase.state == "confirmed"]
        return self.dice.choice(found) if found else None

    def _purchase(self, order_id: UUID) -> Purchase:
        return next(each for each in self.purchases if each.bought.order_id == order_id)

    async def _say(self, purchase: Purchase, kind: type[booking.OrderFact], **details: Any) -> None:
        bought = purchase.bought
        bought.version += 1
        fact: Fact = kind.model_validate(bought.common(bought.version) | details)
        await self.world.hear(fact, times=self.dice.randint(1, 2))

    async def _meet_trouble(self) -> None:
        kind, path = self.dice.choice(FAULTS), self.dice.choice(CALLS)
        await self.world.fault("*", path, kind, self.dice.randint(1, 2))

    async def _change_webhooks(self) -> None:
        mode = self.dice.choice(("normal", "duplicate", "drop", "hold"))
        await self.world.sim("POST", "webhooks", {"mode": mode})
        if self.dice.random() < 0.5:
            await self._release_webhooks()

    async def _release_webhooks(self) -> None:
        order = {"copies": self.dice.randint(1, 3), "backwards": self.dice.random() < 0.7}
        await self.world.sim("POST", "webhooks/release", order)

    async def _connect(self, mentor_id: UUID) -> None:
        """Take a mentor through Stripe's onboarding, or again through what it asks for."""
        if await self._account(mentor_id) is None:
            await self.world.begin_to_connect(mentor_id)
            await self._settle()
        account = await self._account(mentor_id)
        await self.world.sim("POST", f"accounts/{account}/complete", {})

    async def _restrict(self) -> None:
        account = await self._account(self.dice.choice(self.mentors))
        if account:
            how = self.dice.choice(("restrict", "complete"))
            await self.world.sim("POST", f"accounts/{account}/{how}", {})

    async def _return_refund(self) -> None:
        refund = await self.world.pool.fetchval(
            "SELECT stripe_refund_id FROM refunds ORDER BY planned_at DESC, refund_id LIMIT 1"
        )
        if refund:
            await self.world.sim("POST", f"refunds/{refund}/fail", {})

    async def _give_back(self) -> None:
        """Let an operator give back something of a session that is over, released or not."""
        purchase = self.dice.choice(self.purchases)
        path = f"/v1/operator/orders/{purchase.bought.order_id}"
        wanted = self.dice.choice((
            f"refund_basis_points={self.dice.randint(1, 10_000)}",
            f"amount_minor={self.dice.randint(1, purchase.bought.price_minor // 10 + 1) * 10}",
        ))  # fmt: skip
        operator = new_id()
        asked = f"{path}/refund-preview?{wanted}"
        status, shown = await self.world.call("GET", asked, operator, Role.OPERATOR)
        if status == 200:
            # What is shown is what is done; what cannot be given back is refused.
            body = {f"shown_{side}_minor": shown[f"{side}_minor"]
                    for side in ("mentee", "mentor", "platform")}  # fmt: skip
            body |= {"amount_minor": shown["price_back_minor"], "reason": "Asked"}
            answer = await self.world.call(
                "POST", f"{path}/refund", operator, Role.OPERATOR, body=body
            )
            assert answer[0] == 202, answer
            purchase.moved_later = True

    async def _dispute(self) -> None:
        """Let the bank of a mentee dispute a payment, all of it or a part, or ask about it."""
        purchase = self.dice.choice(self.purchases)
        price, inquiry = purchase.bought.price_minor, self.dice.random() < 0.2
        part = self.dice.choice((None, price, price // 20 * 10 or price))
        charge = (await self.world.order(purchase.bought)).charge_id
        if charge:
            # A bank has nothing to take of what went back in full.
            body = {"charge": charge, "amount": part, "inquiry": inquiry}
            status, opened = await self.world.sim("POST", "disputes", body)
            if status == 200:
                purchase.moved_later = True
                self.disputes.append(opened["id"])

    async def _decide_dispute(self) -> None:
        if self.disputes:
            # What is decided already is not decided again, but a lost dispute may still be won.
            how = self.dice.choice(("win", "win", "lose", "escalate"))
            await self._decide(self.dice.choice(self.disputes), how)

    async def _end_disputes(self) -> None:
        for opened in self.disputes:
            await self._decide(opened, self.dice.choice(("win", "lose")))

    async def _decide(self, dispute: str, how: str) -> None:
        """Let the bank decide; of a dispute that is won Stripe sometimes gives its fee back."""
        returned = {"fee_returned": self.dice.random() < 0.3} if how == "win" else {}
        await self.world.sim("POST", f"disputes/{dispute}/{how}", returned)

    async def _fail_payout(self) -> None:
        await self.world.sim("POST", "payouts/fail_next", {})

    async def _pass_time(self) -> None:
        """Let time pass with nobody at work, as in an outage."""
        spans = (MINUTE, 14 * MINUTE, 16 * MINUTE, HOUR, 30 * HOUR, 50 * HOUR)
        self.world.clock.instant += self.dice.choice(spans)

    async def _account(self, mentor_id: UUID) -> str | None:
        query = "SELECT stripe_account_id FROM accounts WHERE mentor_id = $1"
        return await self.world.pool.fetchval(query, mentor_id)

    async def _work(self) -> None:
        """Turn some of the loops, at most every second one."""
        workers = self.world.one_of_each()
        for loop in self.dice.sample(workers, self.dice.randint(0, len(workers) // 2)):
            await self._step(loop.step)

    async def _step(self, step: Callable[[], Awaitable[int]]) -> int:
        try:
            return await step()
        except Died:
            await self._hurry()
            return 1

    async def _hurry(self) -> None:
        for statement in HURRY:
            await self.world.pool.execute(statement)

    async def _settle(self) -> None:
        """Work until nothing is left to do; fails when that takes too long."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                await self._hurry()
                for loop in self.world.one_of_each():
                    while await self._step(loop.step):
                        pass
                resting = (await self.world.sim("GET", "rest"))[1]["resting"]
                if resting and not await self.world.undone():
                    return
                await asyncio.sleep(0.005)

    async def _end(self) -> None:
        """End all trouble, let booking decide what is open, and wait until the money rests."""
        self.gateway.dice = None
        await self.world.stripe.delete("/_sim/faults")
        await self.world.sim("POST", "webhooks", {"mode": "normal"})
        await self._release_webhooks()
        await self._advance(HOUR)
        await self._end_disputes()
        while self._confirmed():
            await self.dice.choice((self._complete, self._cancel))()
        for mentor in self.mentors:
            await self._connect(mentor)
        # Given back once more while the shares are at the accounts, and once they are paid out.
        for wait in (TRANSFERRED_AFTER, SETTLED_AFTER):
            await self._advance(wait)
            await self._give_back()
        await self._advance(SETTLED_AFTER)
        if await self._topped_up():
            await self._advance(SETTLED_AFTER)

    async def _advance(self, by: timedelta) -> None:
        """Let business time pass as `dev clock` does, with operators and booking at work."""
        target = self.world.clock.instant + by
        while True:
            await self._settle()
            if await self._listen() or await self._retry():
                continue
            if self.world.clock.instant >= target:
                return
            self.world.clock.instant = await self._next_instant(target)

    async def _retry(self) -> bool:
        """Let an operator have calls made again whose end nobody knows; return whether any."""
        undetermined = await self.world.pool.fetch(UNDETERMINED)
        for row in undetermined:
            found: UUID = row["operation_id"]
            await in_transaction(
                self.world.pool, lambda conn, found=found: retry_operation(conn, found)
            )
        return bool(undetermined)

    async def _next_instant(self, target: datetime) -> datetime:
        sim = (await self.world.sim("GET", "due"))[1]["next"]
        instants = [
            await self.world.pool.fetchval(DUE),
            datetime.fromisoformat(sim) if sim else None,
        ]
        soonest = min((found for found in instants if found is not None), default=target)
        return min(target, max(soonest, self.world.clock.instant))

    async def _topped_up(self) -> bool:
        """Sell something big where Stripe's balance is short, as an operator would send money."""
        short = await self.world.pool.fetch(SHORT)
        for row in short:
            bought = await self._sell(
                FLOAT_MINOR, row["currency"], self.mentors[0], time_sold=False
            )
            await self._settle()
            await self.world.pay(bought)
            await self._settle()
            await self._listen()
            await self._complete()
        return bool(short)
