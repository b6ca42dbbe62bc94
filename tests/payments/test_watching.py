"""Operators see every call and every notice, and what they do sends nothing twice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.auth import Role
from shared.contracts import booking
from shared.ids import new_id
from tests.payments.conftest import World
from tests.payments.test_faults import made, take_and_call
from tests.payments.test_webhooks import event, post

CALLS, NOTICES = "/v1/operator/operations", "/v1/operator/webhooks"
WHY = {"reason": "Asked on the phone"}
OPERATOR = new_id()
UNCLEAR = """
UPDATE operations SET state = 'undetermined', lease_until = NULL WHERE operation_id = $1
"""


async def get(world: World, path: str) -> Any:
    """Read something as an operator."""
    status, found = await world.call("GET", path, OPERATOR, Role.OPERATOR)
    assert status == 200, found
    return found


async def do(world: World, path: str) -> int:
    """Do something as an operator; return the status."""
    return (await world.call("POST", path, OPERATOR, Role.OPERATOR, body=WHY))[0]


async def logged(world: World) -> list[str]:
    """Return the deeds of operators, the newest first."""
    return [row["action"] for row in (await get(world, "/v1/operator/log"))["items"]]


async def unclear_refund(world: World, fault: str) -> UUID:
    """Cancel a paid session so that the refund's end is known to nobody; return the call."""
    order = await world.buy()
    if fault:
        await world.fault("POST", "/v1/refunds", fault)
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    if fault:
        await world.rest()
    else:
        await world.pool.execute(UNCLEAR, (await take_and_call(world)).operation_id)
    (found,) = (await get(world, CALLS))["items"]
    assert found["kind"] == "refund.create"
    return UUID(found["operation_id"])


async def test_calls_are_found_by_state_kind_and_age(world: World) -> None:
    """What is open, what ended, of one kind, written down before an instant."""
    order = await world.hold()
    (waiting,) = (await get(world, f"{CALLS}?state=open"))["items"]
    assert (waiting["kind"], waiting["subject"]) == ("checkout.create", str(order.order_id))
    await world.rest()
    assert (await get(world, f"{CALLS}?state=open"))["items"] == []
    assert len((await get(world, f"{CALLS}?state=done&kind=checkout.create"))["items"]) == 1
    assert (await get(world, f"{CALLS}?state=any&kind=refund.create"))["items"] == []
    past = "2001-01-01T00:00:00Z"
    assert (await get(world, f"{CALLS}?state=any&planned_before={past}"))["items"] == []


async def test_one_call_is_shown_without_what_a_person_wrote(world: World) -> None:
    """Ids and amounts, its key, its tries and the purchase it is about; no title, no address."""
    order = await world.hold()
    await world.rest()
    (row,) = (await get(world, f"{CALLS}?state=done&kind=checkout.create"))["items"]
    found = await get(world, f"{CALLS}/{row['operation_id']}")
    assert (found["order_id"], found["attempts"]) == (str(order.order_id), 1)
    assert found["parameters"]["amount_minor"] == 12_000
    assert not {"title", "success_url", "cancel_url"} & set(found["parameters"])
    assert found["can"] == {"retry": False, "look": False}
    assert (await world.call("GET", f"{CALLS}/{new_id()}", OPERATOR, Role.OPERATOR))[0] == 404


async def test_a_look_sends_nothing_and_a_retry_only_after_proof_of_absence(world: World) -> None:
    """The refund is not there: looking leaves it unclear, trying again makes it once."""
    call = await unclear_refund(world, "500_before")
    assert (await get(world, f"{CALLS}/{call}"))["can"] == {"retry": True, "look": True}
    assert await do(world, f"{CALLS}/{call}/look") == 202
    await world.rest()
    found = await get(world, f"{CALLS}/{call}")
    assert (found["state"], found["outcome"]["because"]) == (
        "undetermined",
        "looked for, and not there",
    )
    assert await made(world, "refund") == 0
    assert await do(world, f"{CALLS}/{call}/retry") == 202
    await world.rest()
    assert await made(world, "refund") == 1
    assert await do(world, f"{CALLS}/{call}/look") == 409
    assert (await logged(world))[:2] == ["retry_call", "look_for_call"]
    await world.check_books()


async def test_a_look_finds_what_was_made(world: World) -> None:
    """The refund is there: it is recorded with everything that follows."""
    call = await unclear_refund(world, "")
    assert await do(world, f"{CALLS}/{call}/look") == 202
    await world.rest()
    assert (await get(world, f"{CALLS}/{call}"))["state"] == "done"
    assert await made(world, "refund") == 1
    await world.check_books()


async def test_every_notice_shows_what_it_led_to(world: World) -> None:
    """Obeyed ones name the call they made us make and the purchase; unknown types are kept."""
    order = await world.buy()
    await world.rest()
    found = (await get(world, f"{NOTICES}?type=checkout.session.completed"))["items"]
    assert [
        (each["state"], each["call"], each["call_state"], each["order_id"]) for each in found
    ] == [("obeyed", "checkout.retrieve", "done", str(order.order_id))]
    kept = {each["type"] for each in (await get(world, f"{NOTICES}?state=ignored"))["items"]}
    assert "payment_intent.succeeded" in kept
    waiting = await get(world, f"{NOTICES}/waiting")
    assert (waiting["items"], waiting["sources"]) == ([], 1)
    older = await get(world, f"{NOTICES}?received_before=2001-01-01T00:00:00Z")
    assert older["items"] == []


async def test_a_notice_that_matched_nothing_can_be_obeyed_anew(world: World) -> None:
    """It is put aside, seen, and tried again on an operator's word alone."""
    about = {"id": "cs_test_x", "metadata": {"order_id": str(new_id())}}
    assert await post(world, event(about)) == 200
    await world.rest()
    (found,) = (await get(world, f"{NOTICES}?state=unmatched"))["items"]
    assert await do(world, f"{NOTICES}/{found['event_id']}/obey") == 202
    await world.rest()
    (again,) = (await get(world, f"{NOTICES}?state=unmatched"))["items"]
    assert again["attempts"] == found["attempts"] + 1
    assert await do(world, f"{NOTICES}/evt_unknown/obey") == 404
    assert await logged(world) == ["obey_webhook"]


async def test_event_lists_are_read_on_an_operators_word(world: World) -> None:
    """Notices that were dropped are found at once instead of within the hour."""
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "drop"})
    order = await world.hold()
    await world.rest()
    await world.pay(order)
    await world.rest()
    assert (await world.order(order)).state == "open"
    assert await do(world, f"{NOTICES}/read-events") == 202
    await world.rest()
    assert (await world.order(order)).state == "paid"
