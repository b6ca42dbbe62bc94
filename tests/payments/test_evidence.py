"""What a bank is told of a disputed payment is what is known, for whatever was bought."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from services.payments.commands.records import case_of
from services.payments.domain.credits import Lot
from services.payments.domain.evidence import Case, End, Evidence, Record, Visit, assemble
from services.payments.domain.orders import CreditKind, Kind, Order, Session
from services.payments.domain.outcomes import CHARGE_DISPUTED, Refund, RefundState
from services.payments.store import orders as order_store
from shared.auth import Role
from shared.contracts import booking
from shared.ids import new_id
from shared.money import Money
from tests.payments.conftest import NOON, World
from tests.payments.shop import DAY, UNIT, WHOLE, Shop
from tests.payments.study import Study
from tests.payments.test_disputes import dispute

HOUR = timedelta(hours=1)
PAYER, OTHER = new_id(), new_id()
PRICE = Money(12_000, "USD")


def purchase(kind: Kind = "sessions", *sessions: Session, price: Money = PRICE) -> Order:
    """Return a purchase that was paid at noon."""
    return Order(
        order_id=new_id(),
        mentor_id=new_id(),
        mentee_id=PAYER,
        title="Career talk",
        price=price,
        platform_share_basis_points=1_500,
        release_delay=DAY,
        hold_until=NOON,
        state="paid",
        close_at=NOON,
        opened_at=NOON,
        paid_at=NOON,
        sessions=sessions,
        kind=kind,
    )


def one_session(**more: Any) -> Order:
    """Return a purchase of one session."""
    return purchase("sessions", Session(new_id(), PRICE, **more))


def lot(order: Order, kind: CreditKind, sessions: int, remaining: int) -> Lot:
    """Return the credits that were bought."""
    return Lot(
        new_id(),
        order.order_id,
        kind,
        PAYER,
        PAYER,
        order.mentor_id,
        new_id(),
        order.title,
        60,
        PRICE,
        Money(UNIT, "USD"),
        sessions,
        6,
        remaining,
    )


def record(order: Order, end: End | None = None, **more: Any) -> Record:
    """Return what is known of a session three days after noon."""
    session_id = order.sessions[0].session_id if order.sessions else new_id()
    said: dict[str, Any] = {"mentee_id": PAYER} | more
    begins = NOON + 3 * DAY
    return Record(session_id, begins, begins + HOUR, "standard, version 1", end, **said)


def refund(order: Order, minor: int, state: RefundState, **more: Any) -> Refund:
    """Return a refund of the only session of a purchase."""
    session_id = order.sessions[0].session_id if order.sessions else None
    amount = Money(minor, "USD")
    return replace(
        Refund(new_id(), order.order_id, session_id, amount, "cancelled", state, None, NOON), **more
    )


def ended(how: Literal["completed", "missed", "cancelled"], by: str = "mentee") -> End:
    """Return the end of a session in which the mentee was, unless it was cancelled."""
    visits = () if how == "cancelled" else (Visit("mentee", NOON + 3 * DAY),)
    return End(how, by, NOON + 3 * DAY + HOUR, visits)


def credit_case(kind: CreditKind, records: int, who: Any = PAYER, **more: Any) -> Case:
    """Return a purchase of three credits, of which so many sessions were held."""
    order = purchase(kind, price=Money(3 * UNIT, "USD"))
    known = [record(order, ended("completed"), mentee_id=who) for _ in range(records)]
    return Case(order, known, lots=[lot(order, kind, 3, 3 - records)], **more)


def test_a_package_is_answered_for_with_the_sessions_its_credits_paid() -> None:
    """How many of how many were booked, when they were held, and who came."""
    said = assemble(credit_case("package", 1))
    assert said["product_description"] == (
        "Online mentoring, 'Career talk': 3 sessions, paid in advance, live by video, 60 minutes "
        "each, with a mentor whom the customer chose, for 300.00 USD. 1 of 3 was booked so far; "
        "2 are unused."
    )
    assert said["service_date"] == "2030-05-09"
    assert "the customer was in the room from 2030-05-09 12:00" in said["access_activity_log"]
    assert said["cancellation_policy_disclosure"].startswith("Before booking each session, the cus")
    assert "what is not used is paid back" in said["refund_policy_disclosure"]
    assert said["refund_refusal_explanation"] == "Nothing was refunded."
    assert "choosing the time" not in said["uncategorized_text"]


@pytest.mark.parametrize("kind", ["gift", "sponsorship"])
def test_who_came_to_a_given_session_is_not_called_the_customer(kind: CreditKind) -> None:
    """Somebody else was in the room and accepted the policy than who paid."""
    said = assemble(credit_case(kind, 1, OTHER))
    assert "the recipient was in the room" in said["access_activity_log"]
    assert "the recipient confirmed" in said["access_activity_log"]
    assert "the recipient was shown" in said["cancellation_policy_disclosure"]
    assert "The recipient is somebody else than the customer" in said["product_description"]


@pytest.mark.parametrize("kind", ["package", "gift", "sponsorship", "plan"])
def test_of_credits_that_nobody_used_no_session_is_told(kind: CreditKind) -> None:
    """What is not known is left empty, and no policy of a session is claimed to be accepted."""
    said = assemble(credit_case(kind, 0))
    assert "0 of 3 were booked so far; 3 are unused." in said["product_description"]
    empty = ("service_date", "access_activity_log", "cancellation_policy_disclosure")
    assert [said[name] for name in empty] == [""] * 3
    assert "policy that was accepted" not in said["refund_refusal_explanation"]


def test_the_renewal_of_a_plan_was_not_paid_on_a_page_after_choosing_a_time() -> None:
    """The first month was; of a further one it is said when the customer subscribed."""
    first = assemble(credit_case("plan", 1, subscribed_at=NOON))["uncategorized_text"]
    assert "paid its first month, 300.00 USD at 2030-05-06 12:00 UTC, on the payment page" in first
    later = assemble(credit_case("plan", 1, subscribed_at=NOON - 31 * DAY))["uncategorized_text"]
    assert later.startswith(
        "This payment of 300.00 USD at 2030-05-06 12:00 UTC was for a further mo"
    )
    assert later.endswith("and paid its first month at 2030-04-05 12:00 UTC.")


def test_a_credit_that_came_back_is_no_refund_and_no_session_booked() -> None:
    """The session stands in the log with its end; no money is said to have gone."""
    case = credit_case("package", 1)
    cancelled = replace(case.records[0], end=ended("cancelled"), owed_basis_points=WHOLE)
    back = refund(
        case.order, UNIT, "settled", session_id=cancelled.session_id, lot_id=case.lots[0].lot_id
    )
    lots = [replace(case.lots[0], remaining=3)]
    said = assemble(replace(case, records=[cancelled], refunds=[back], lots=lots))
    assert "0 of 3 were booked so far; 3 are unused." in said["product_description"]
    assert said["access_activity_log"].endswith("by the customer\n- its credit came back")
    assert said["refund_refusal_explanation"] == "Nothing was refunded."


def of_refunds(order: Order, known: Record, *refunds: Refund) -> str:
    """Return what is said of refunds."""
    return assemble(Case(order, [known], refunds))["refund_refusal_explanation"]


def test_nothing_was_due_only_where_that_is_decided() -> None:
    """Not of a session to come, of one that is objected to, or that could not take place."""
    order = one_session()
    over = record(order, ended("cancelled"))
    due = "Nothing was refunded: by the policy that was accepted nothing was due."
    assert of_refunds(order, over) == due
    assert of_refunds(order, record(order)) == "Nothing was refunded."
    objected = one_session(objected_at=NOON)
    assert of_refunds(objected, record(objected, ended("completed"))) == "Nothing was refunded."
    lost = record(order, owed_basis_points=WHOLE, lost=True)
    assert "120.00 USD: due, and not sent as a refund" in of_refunds(order, lost)


def test_what_is_owed_and_waits_for_the_bank_is_said() -> None:
    """Of a session that is cancelled during the dispute, and of what was sent of it before."""
    order = one_session()
    known = record(order, ended("cancelled"), owed_basis_points=5_000)
    said = of_refunds(order, known)
    assert "- 60.00 USD: due, and not sent as a refund, because the bank had taken" in said
    assert "nothing was due" not in said
    sent = refund(order, 2_000, "settled", stripe_refund_id="re_1")
    said = of_refunds(order, known, sent)
    assert "- 20.00 USD: refunded at 2030-05-06 12:00 UTC (re_1)" in said
    assert "- 40.00 USD: due, and not sent" in said


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("planned", None, "due, decided at 2030-05-06 12:00 UTC, and not sent yet"),
        ("paid_otherwise", CHARGE_DISPUTED, "due, and not sent as a refund, because the bank"),
        ("paid_otherwise", None, "paid back in another way than by a refund"),
        ("failed", "expired_or_canceled_card", "due; a refund of it failed"),
    ],
)
def test_a_refund_is_called_what_it_is(state: RefundState, code: str | None, words: str) -> None:
    """Only what Stripe sent to the card is called refunded."""
    order = one_session()
    known = record(order, ended("cancelled"), owed_basis_points=5_000)
    said = of_refunds(order, known, refund(order, 6_000, state, failure_code=code))
    assert f"- 60.00 USD: {words}" in said
    assert "refunded at" not in said
    assert said.count(" USD") == 1


def test_how_a_session_ended_is_told_by_whose_word() -> None:
    """Nothing is put into the customer's mouth."""
    order = one_session()
    for end, words in (
        (ended("completed", "system"), "it counts as held since"),
        (ended("completed", "mentor"), "the mentor confirmed at"),
        (ended("missed", "mentee"), "the customer did not come"),
        (ended("cancelled", "operator"), "by the platform"),
        (None, "how it ended is not recorded yet"),
    ):
        said = assemble(Case(order, [record(order, end)]))
        assert words in said["access_activity_log"]
        assert bool(said["service_date"]) == (end is not None and end.how == "completed")


async def evidence_of(world: World, order_id: Any) -> Evidence:
    """Return what would be said of a purchase."""
    async with world.pool.acquire() as conn:
        order = await order_store.load_order(conn, order_id)
        assert order is not None
        return assemble(await case_of(conn, order))


async def test_the_records_are_those_of_the_credits_a_payment_bought(world: World) -> None:
    """A package, a gift to somebody else and a plan's renewal, each with its own sessions."""
    study = Study(await Shop(world).open())
    shop = study.shop
    package = await shop.buy(3)
    held, called_off = await shop.book(), await shop.book()
    await shop.complete(held)
    await shop.cancel(called_off, WHOLE)
    said = await evidence_of(world, package)
    assert "1 of 3 was booked so far; 2 are unused." in said["product_description"]
    assert "it counts as held since" in said["access_activity_log"]
    assert "its credit came back" in said["access_activity_log"]
    assert said["refund_refusal_explanation"] == "Nothing was refunded."
    await shop.cancel(await shop.book(), 5_000)
    said = await evidence_of(world, package)
    assert "- 50.00 USD: refunded at" in said["refund_refusal_explanation"]
    gift = await shop.give("gifts", 1)
    code = await shop.ask("POST", f"/v1/gifts/{gift}/code", status=201)
    friend = new_id()
    await shop.ask("POST", "/v1/gifts/redeem", code, who=friend, status=201)
    await shop.book(who=friend)
    said = await evidence_of(world, gift)
    assert "1 of 1 was booked so far; none is unused." in said["product_description"]
    assert "the recipient was shown" in said["cancellation_policy_disclosure"]
    await study.subscribe()
    await study.renew()
    first, second = await world.pool.fetch(
        "SELECT order_id FROM orders WHERE kind = 'plan' ORDER BY paid_at"
    )
    assert "a further month" in (await evidence_of(world, second[0]))["uncategorized_text"]
    assert "paid its first month" in (await evidence_of(world, first[0]))["uncategorized_text"]


async def test_an_operator_reads_what_waits_for_the_dispute_or_was_left_to_the_bank(
    world: World,
) -> None:
    """Cancelled after the bank took the money, and cancelled before that was known."""
    order = await world.buy()
    opened = await dispute(world, order)
    await world.rest()
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000)
    await world.rest()
    overtaken = await world.buy()
    await world.sim("POST", "webhooks", {"mode": "hold"})
    other = await dispute(world, overtaken)
    await world.say(booking.BookingCancelled, overtaken, by="mentor", refund_basis_points=WHOLE)
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "normal"})
    await world.sim("POST", "webhooks/release", {})
    await world.rest()
    for each, amount in ((opened, "60.00 USD"), (other, "120.00 USD")):
        path = f"/v1/operator/disputes/{each['id']}"
        _, case = await world.call("GET", path, new_id(), Role.OPERATOR)
        said = case["evidence"]["refund_refusal_explanation"]
        assert f"- {amount}: due, and not sent as a refund, because the bank" in said
        assert "refunded at" not in said
