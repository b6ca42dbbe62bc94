"""Webhooks: forged, replayed, late, doubled, out of order or missing (P12, cases 3 and 17)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from stripe import WebhookSignature

from services.payments.commands.operations import take_operation
from services.payments.commands.webhooks import keep_events
from services.payments.domain.requests import ReadEvents
from services.payments.domain.seen import EventsSeen
from services.payments.gateway import lists
from services.payments.workers import operations
from shared.clock import system_now, to_epoch_seconds
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.db import in_transaction, transaction
from shared.ids import new_id
from tests.payments.conftest import CONNECT_SECRETS, HOLD, NOON, PLATFORM_SECRETS, World

FAILS_TO_REFUND = "4000000000005126"
STORED = "SELECT type, state FROM webhooks ORDER BY event_id"


def event(about: dict[str, Any], kind: str = "checkout.session.completed") -> str:
    return json.dumps(
        {
            "id": f"evt_{new_id().hex}",
            "object": "event",
            "type": kind,
            "created": to_epoch_seconds(NOON),
            "data": {"object": about},
        }
    )


async def post(
    world: World,
    payload: str,
    *,
    secret: str = PLATFORM_SECRETS[0],
    aged: timedelta = timedelta(0),
    path: str = "/webhooks/stripe",
) -> int:
    """Send a webhook as somebody who has a secret would; return the status."""
    at = to_epoch_seconds(system_now() - aged)
    header = WebhookSignature.generate_signature_header(payload, secret, at)
    async with world.client.post(
        path, data=payload.encode(), headers={"Stripe-Signature": header}
    ) as answer:
        body = await answer.json()
        assert answer.status == 200 or body["code"] == "signature_invalid"
        return answer.status


async def test_either_secret_is_accepted(world: World) -> None:
    """While secrets are changed, the new and the old one are good; an event is stored once."""
    payload = event({"id": "cs_other"}, "customer.created")
    assert await post(world, payload) == 200
    assert await post(world, payload, secret=PLATFORM_SECRETS[1]) == 200
    rows = await world.pool.fetch(STORED)
    assert [(row["type"], row["state"]) for row in rows] == [("customer.created", "ignored")]


@pytest.mark.parametrize(
    ("secret", "aged"),
    [
        ("whsec_wrong", timedelta(0)),
        (CONNECT_SECRETS[0], timedelta(0)),
        (PLATFORM_SECRETS[0], timedelta(minutes=6)),
        (PLATFORM_SECRETS[0], -timedelta(minutes=6)),
    ],
)
async def test_forged_stale_and_future_webhooks_are_refused(
    world: World, secret: str, aged: timedelta
) -> None:
    """A wrong secret, an old signature and one from the future are refused and not stored."""
    assert await post(world, event({"id": "cs_1"}), secret=secret, aged=aged) == 400
    assert await world.pool.fetch(STORED) == []


@pytest.mark.parametrize("header", [None, "", "t=abc,v1=00", "v1=00", "nonsense"])
async def test_signatures_that_are_none_are_refused(world: World, header: str | None) -> None:
    """A missing or broken signature is an answer, not a crash; so is a body that is no text."""
    headers = {"Stripe-Signature": header} if header is not None else {}
    async with world.client.post("/webhooks/stripe", data=b"\xff\xfe", headers=headers) as answer:
        assert answer.status == 400


async def test_an_altered_body_is_refused(world: World) -> None:
    """The signature is over the raw body: one more blank breaks it."""
    payload = event({"id": "cs_1"})
    at = to_epoch_seconds(system_now())
    header = WebhookSignature.generate_signature_header(payload, PLATFORM_SECRETS[0], at)
    async with world.client.post(
        "/webhooks/stripe", data=f"{payload} ".encode(), headers={"Stripe-Signature": header}
    ) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("mode", ["duplicate", "reverse"])
async def test_doubled_and_reversed_webhooks_change_nothing(world: World, mode: str) -> None:
    """Every notice twice, or last first: one payment, one refund, the same books."""
    await world.sim("POST", "webhooks", {"mode": mode})
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    assert len(await world.told(facts.PaymentSucceeded)) == 1
    assert len(await world.told(facts.RefundIssued)) == 1
    await world.check_books()


async def test_a_burst_after_an_outage_leads_to_the_same_state(world: World) -> None:
    """Days of held notices, doubled and backwards: nothing happens twice, nothing is undone."""
    await world.sim("POST", "webhooks", {"mode": "hold"})
    order = await world.hold()
    await world.rest()
    await world.pay(order)
    await world.advance(HOLD)
    await world.say(booking.BookingLost, order, reason="time_sold")
    await world.advance(timedelta(days=3))
    before = await world.facts()
    await world.sim("POST", "webhooks/release", {"copies": 3, "backwards": True})
    await world.sim("POST", "webhooks", {"mode": "normal"})
    await world.rest()
    assert await world.facts() == before
    await world.check_books()


async def test_without_webhooks_everything_is_found(world: World) -> None:
    """All notices are lost: look-ups and the event lists bring the same news."""
    await world.sim("POST", "webhooks", {"mode": "drop"})
    mentor = new_id()
    await world.connect(mentor)
    order = await world.hold(mentor_id=mentor)
    await world.rest()
    await world.pay(order)
    await world.advance(timedelta(minutes=5))
    assert len(await world.told(facts.PaymentSucceeded)) == 1
    await world.say(booking.BookingConfirmed, order, title="Career talk")
    await world.say(booking.SessionCompleted, order, by="system", completed_at=NOON)
    await world.advance(timedelta(days=7))
    assert [fact.can_receive for fact in await world.told(facts.AccountChanged)] == [True]
    assert len(await world.told(facts.TransferSent)) == 1
    assert len(await world.told(facts.PayoutPaid)) == 1
    await world.check_books()


async def test_a_long_event_list_is_read_in_stretches(world: World) -> None:
    """What did not fit into one reading is read next, and the list then counts as read."""
    await world.sim("POST", "webhooks", {"mode": "drop"})
    await world.buy()
    await world.turn()
    source = "SELECT read_until FROM event_reads WHERE source = 'platform'"
    request = ReadEvents(account_id=None, since=NOON)
    seen = await world.gateway.perform(request, "none")
    assert isinstance(seen, EventsSeen)
    assert len(seen.events) > 2
    await world.pool.execute("DELETE FROM webhooks")
    first = EventsSeen(events=seen.events[:1], complete=False)
    world.clock.instant += timedelta(minutes=1)
    async with transaction(world.pool) as conn:
        await keep_events(conn, request, first, world.clock.now())
    assert await world.pool.fetchval("SELECT count(*) FROM webhooks") == 1
    await world.rest()
    assert await world.pool.fetchval("SELECT count(*) FROM webhooks") == len(seen.events)
    assert await world.pool.fetchval(source) >= seen.events[0].created_at


@pytest.mark.parametrize(
    ("path", "bought", "table", "length"),
    [("/v1/events", 2, "webhooks", 8), ("/v1/balance_transactions", 4, "stripe_movements", 4)],
)
async def test_a_list_that_comes_slowly_is_read_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str, bought: int, table: str, length: int
) -> None:
    """A call that has read for long enough keeps that; the next one goes on from there."""
    for _ in range(bought):
        await world.buy()
    await world.rest()
    await world.pool.execute("DELETE FROM webhooks")
    # As in life, where pages hold a hundred and a call may last for many seconds.
    monkeypatch.setattr(lists, "PAGE", 1)
    monkeypatch.setattr(lists, "READ_FOR_SECONDS", 0.1)
    monkeypatch.setattr(operations, "CALL_SECONDS", 0.7)
    slow = {"method": "GET", "path": path, "kind": "slow", "count": None, "seconds": 0.2}
    assert (await world.sim("POST", "faults", slow))[0] in (200, 201)
    for reads in ("event_reads", "movement_reads"):
        await world.pool.execute(f"UPDATE {reads} SET next_read_at = $1", NOON)  # noqa: S608
    await world.rest()
    found = await world.pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608  One of two.
    assert found == length


async def test_a_webhook_that_overtakes_our_commit_waits(world: World) -> None:
    """The page is paid before we recorded that it exists: the notice waits for the row."""
    order = await world.hold()
    operation = await in_transaction(
        world.pool, lambda conn: take_operation(conn, world.clock.now())
    )
    assert operation is not None
    seen = await world.gateway.perform(operation.request, operation.key)
    await world.sim("POST", f"checkout/{vars(seen)['checkout_id']}/pay", {})
    await world.turn()
    assert (await world.order(order)).state == "being_prepared"
    await world.pool.execute("UPDATE operations SET lease_until = now() - interval '1 second'")
    await world.rest()
    assert (await world.order(order)).state == "paid"
    assert len(await world.told(facts.PaymentSucceeded)) == 1


async def until_notice(world: World, like: str, *, tried: bool = False) -> None:
    """Wait until a notice of a kind has come, or was obeyed in vain; nothing else is done."""
    condition = "type LIKE $1" + (" AND first_tried_at IS NOT NULL" if tried else "")
    async with asyncio.timeout(10):
        while not await world.pool.fetch(f"SELECT 1 FROM webhooks WHERE {condition}", like):  # noqa: S608
            if tried:
                await obey(world)
            await world.sim("GET", "rest")


async def obey(world: World) -> None:
    """Let the notices be obeyed that are due, and nothing else."""
    await next(loop for loop in world.loops if loop.name == "obey_webhooks").step()


async def let_them_age(world: World) -> None:
    """Let notices have come, and been tried first, an hour ago; they are tried again."""
    await world.pool.execute(
        """UPDATE webhooks SET received_at = received_at - interval '1 hour',
            first_tried_at = first_tried_at - interval '1 hour', next_try_at = now()"""
    )
    await obey(world)


async def test_notices_that_came_while_the_worker_was_away_are_obeyed(world: World) -> None:
    """A payment and its dispute wait for an hour: age alone puts nothing aside."""
    order = await world.hold()
    await world.rest()
    await world.pay(order)
    (charge,) = (await world.sim("GET", "history"))[1]["objects"]["charge"]
    await world.sim("POST", "disputes", {"charge": charge["id"]})
    await until_notice(world, "charge.dispute.%")
    await until_notice(world, "checkout.%")
    await let_them_age(world)
    await world.rest()
    assert [row["order_id"] for row in await world.pool.fetch("SELECT order_id FROM disputes")] == [
        order.order_id
    ]
    assert (await world.order(order)).sessions[0].disputed_at is not None


async def test_what_was_put_aside_is_obeyed_once_it_is_known(world: World) -> None:
    """A dispute of a payment that nobody told us of waits for the look that finds the payment."""
    order = await world.hold()
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "drop"})
    await world.pay(order)
    (charge,) = (await world.sim("GET", "history"))[1]["objects"]["charge"]
    await world.sim("POST", "webhooks", {"mode": "normal"})
    await world.sim("POST", "disputes", {"charge": charge["id"]})
    for each in ("created", "funds_withdrawn"):
        await until_notice(world, f"charge.dispute.{each}", tried=True)
    await let_them_age(world)
    states = "SELECT DISTINCT state FROM webhooks WHERE type LIKE 'charge.dispute.%'"
    assert [row["state"] for row in await world.pool.fetch(states)] == ["unmatched"]
    await world.advance(timedelta(minutes=5))
    assert [row["state"] for row in await world.pool.fetch(states)] == ["obeyed"]
    assert await world.pool.fetchval("SELECT count(*) FROM disputes") == 1


async def test_a_refund_whose_answer_was_lost_fails_all_the_same(world: World) -> None:
    """Its notice waits for the answer that is asked for again, which knows of no failure yet."""
    order = await world.hold()
    await world.rest()
    await world.pay(order, FAILS_TO_REFUND)
    await world.rest()
    await world.say(booking.BookingLost, order, reason="time_sold")
    now = world.clock.now()
    call = await in_transaction(world.pool, lambda conn: take_operation(conn, now))
    assert call is not None
    await world.gateway.perform(call.request, call.key)
    world.clock.instant += timedelta(hours=2)
    await until_notice(world, "refund.failed", tried=True)
    await let_them_age(world)
    state = "SELECT DISTINCT state FROM webhooks WHERE type = 'refund.failed'"
    assert await world.pool.fetchval(state) == "waiting"
    await world.pool.execute("UPDATE operations SET lease_until = now() - interval '1 second'")
    await world.rest()
    assert await world.pool.fetchval("SELECT state FROM refunds") == "failed"
    assert len(await world.told(facts.RefundFailed)) == 1


async def test_a_notice_about_another_page_is_put_aside(world: World) -> None:
    """A genuine notice that names our order but another page does nothing."""
    order = await world.hold()
    await world.rest()
    about = {"id": "cs_test_other", "metadata": {"order_id": str(order.order_id)}}
    assert await post(world, event(about)) == 200
    unknown = {"id": "cs_test_x", "metadata": {"order_id": str(new_id())}}
    assert await post(world, event(unknown)) == 200
    await world.rest()
    rows = await world.pool.fetch("SELECT state FROM webhooks WHERE type LIKE 'checkout%'")
    assert [row["state"] for row in rows] == ["unmatched", "unmatched"]
    assert (await world.order(order)).state == "open"


async def test_no_personal_data_is_kept_of_a_webhook(world: World) -> None:
    """The payer's address stays with Stripe: no row of ours holds it."""
    await world.buy()
    await world.rest()
    for table in ("webhooks", "operations", "orders", "outbox"):
        text = await world.pool.fetchval(f"SELECT string_agg(t::text, '') FROM {table} AS t")  # noqa: S608
        assert "payer@example.com" not in (text or "")
