"""Receipts and credit notes: one for each payment and refund, under numbers without a gap."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from services.payments import ledger
from services.payments.commands.documents import issue_next_document
from services.payments.domain.documents import Document, DoesNotAddUp, NothingPutAside, receipt
from services.payments.ledger.entries import Paid
from services.payments.store import documents as store
from services.payments.store import ledger as books
from services.payments.store.gauges import PAPERS_PUT_ASIDE
from services.payments.workers.loops import ACTIONS
from shared.auth import Role
from shared.contracts import booking
from shared.db import Connection, in_transaction
from shared.deeds import Deed, carry_out
from shared.ids import new_id
from shared.money import Money
from tests.payments.conftest import NOON, Bought, World
from tests.payments.test_disputes import dispute

PAYMENTS = 40
DYING = 0.3
DEADLINE_SECONDS = 20

GAPS = "SELECT series, year, last_number, given FROM document_gaps"
DEARER = "UPDATE sessions SET price_minor = price_minor + $2 WHERE order_id = $1"
SETTLED = "SELECT amount_minor FROM refunds WHERE state = 'settled'"
WAITS = """
SELECT details ->> 'error' AS error FROM saga_waits WHERE order_id = $1 AND needs_operator
ORDER BY error
"""


class Died(Exception):
    """The worker is gone before it committed."""


async def issued(world: World, order: Bought) -> list[Document]:
    """Return the documents of a purchase."""
    async with world.pool.acquire() as conn:
        return await store.documents_of_order(conn, order.order_id)


async def cancel(world: World, order: Bought, basis_points: int) -> None:
    """Let booking cancel a session, with a fraction that goes back."""
    await world.say(
        booking.BookingCancelled,
        order,
        title="Career talk",
        by="mentee",
        refund_basis_points=basis_points,
        reason=None,
    )
    await world.rest()


async def test_a_payment_has_a_receipt_and_a_refund_a_credit_note_of_it(world: World):
    """Both are numbered in their own series, and say the amounts that the card saw."""
    order = await world.buy(12_000)
    await cancel(world, order, 5_000)
    receipt, note = await issued(world, order)
    assert (receipt.name, note.name) == ("R-2030-000001", "C-2030-000001")
    assert receipt.content.amount_minor == 12_000
    assert [item.words for item in receipt.content.items] == ["Career talk"]
    assert (note.content.amount_minor, note.content.receipt) == (6_000, receipt.name)
    assert {receipt.person_id, note.person_id} == {order.mentee_id}


async def test_people_read_and_print_their_own_papers(world: World):
    """The list has the newest first, the PDF is the same every time, others find nothing."""
    order = await world.buy(12_000)
    await cancel(world, order, 5_000)
    mine = order.mentee_id
    _, page = await world.call("GET", "/v1/me/receipts?limit=1", mine)
    (note,) = page["items"]
    assert (note["kind"], note["number"], note["amount_minor"]) == (
        "credit_note", "C-2030-000001", 6_000,
    )  # fmt: skip
    _, page = await world.call("GET", f"/v1/me/receipts?cursor={page['next_cursor']}", mine)
    (receipt,) = page["items"]
    where = f"/v1/receipts/{receipt['document_id']}"
    _, details = await world.call("GET", where, mine)
    assert details["items"][0]["words"] == "Career talk"
    printed = [await fetch(world, f"{where}/receipt.pdf", mine) for _ in range(2)]
    assert printed[0] == printed[1]
    assert printed[0][0] == "application/pdf"
    assert printed[0][1].startswith(b"%PDF")
    assert (await world.call("GET", where, order.mentor_id))[0] == 404
    assert (await world.call("GET", where, order.mentor_id, Role.OPERATOR))[0] == 200


async def fetch(world: World, path: str, person_id: UUID, *roles: Role) -> tuple[str, bytes]:
    """Return the kind and the content of a file."""
    headers = world.headers(person_id, *roles)
    async with world.client.request("GET", path, headers=headers) as answer:
        assert answer.status == 200
        return answer.content_type, await answer.read()


async def test_a_series_has_one_receipt_with_a_line_for_each_session(world: World):
    """What was paid at once is on one paper; its lines sum to what the card paid."""
    order = await world.buy(parts=(5_000, 5_000, 4_001))
    (receipt,) = await issued(world, order)
    assert [item.amount_minor for item in receipt.content.items] == [5_000, 5_000, 4_001]
    assert receipt.content.items[2].words == "Career talk, session 3 of 3"
    assert receipt.content.amount_minor == 14_001


@pytest.mark.parametrize("payer", ["mentor", "platform"])
async def test_a_receipt_with_a_code_adds_up(world: World, payer: str):
    """Each session is named at its price, the code's part is taken off once: the card paid that."""
    mentor_id = new_id()
    said = {"code": "FIFTH", "percent_basis_points": 8_000, "paid_by": payer, "reason": "Spring."}
    body = said | {"mentor_id": str(mentor_id)}
    await world.call("POST", "/v1/operator/promotions", new_id(), Role.OPERATOR, body=body)
    parts = (3_333, 3_333, 3_334)
    order = await world.buy(mentor_id=mentor_id, parts=parts, promotion_code="FIFTH")
    (receipt,) = await issued(world, order)
    assert tuple(item.amount_minor for item in receipt.content.items) == parts
    assert (receipt.content.discount_minor, receipt.content.amount_minor) == (8_000, 2_000)


async def test_no_receipt_is_issued_that_does_not_add_up(world: World):
    """Another amount than that of the lines is a fault of ours, which no paper may show."""
    order = await world.order(await world.buy(12_000))
    with pytest.raises(DoesNotAddUp):
        receipt(order, 11_999, NOON)


async def test_nobody_gets_a_number_twice_and_none_is_left_out(world: World):
    """Many workers at once, some of which die before the commit: 1, 2, 3 to the last."""
    for _ in range(PAYMENTS):
        await post_payment(world, await world.hold(5_000))
    dice = Random(7)

    async def step(conn: Connection) -> bool:
        done = await issue_next_document(conn, world.clock.now())
        if done and dice.random() < DYING:
            raise Died
        return done

    async def work() -> None:
        while await world.pool.fetchval("SELECT count(*) FROM documents_wanted"):
            with suppress(Died):
                await in_transaction(world.pool, lambda conn: step(conn))

    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*(work() for _ in range(4)))
    numbers = await world.pool.fetch("SELECT number FROM documents ORDER BY number")
    assert [row["number"] for row in numbers] == list(range(1, PAYMENTS + 1))
    assert await world.pool.fetch(GAPS) == []


async def post_payment(world: World, order: Bought) -> None:
    """Post a payment, as the notice of it would."""
    known = await world.order(order)
    paid = {known.part(order.session_id): Paid(known.price, Money(0, "USD"))}
    async with world.pool.acquire() as conn:
        await books.post(conn, ledger.purchases.payment(paid, NOON))


async def test_numbers_begin_anew_with_the_year(world: World):
    """The first receipt of a year is the first of its series again."""
    await world.buy()
    await world.advance(timedelta(days=260))
    (receipt,) = await issued(world, await world.buy())
    assert receipt.name == "R-2031-000001"


async def test_a_credit_note_is_of_what_was_decided_though_a_bank_paid_a_part(world: World):
    """Made late: 50 of the 120 are left to the bank by then, 70 go on as a refund of their own."""
    order = await world.buy(12_000)
    await world.rest()
    papers = next(loop for loop in world.loops if loop.name == "issue_documents")
    world.loops.remove(papers)
    await dispute(world, order, 5_000)
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await world.pool.fetchval(SETTLED) != 7_000:
            await world.turn()
    world.loops.append(papers)
    await world.rest()
    _, note = await issued(world, order)
    assert [item.amount_minor for item in note.content.items] == [12_000]
    assert note.content.amount_minor == 12_000


async def put_aside(world: World) -> Bought:
    """Buy a session whose price is not what was paid any more when its receipt is made."""
    order = await world.hold()
    await world.rest()
    papers = next(loop for loop in world.loops if loop.name == "issue_documents")
    world.loops.remove(papers)
    await world.pay(order)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await world.pool.fetch("SELECT FROM documents_wanted"):
            await world.turn()
    await world.pool.execute(DEARER, order.order_id, 1)
    world.loops.append(papers)
    await world.rest()
    await world.say(booking.BookingConfirmed, order, title="Career talk")
    return order


async def right(world: World, order: Bought) -> None:
    """Let the price be again what was paid."""
    await world.pool.execute(DEARER, order.order_id, -1)


async def test_a_paper_that_does_not_add_up_keeps_no_other_waiting(world: World):
    """It waits for an operator without a number, its credit note with it; both are made then."""
    wrong = await put_aside(world)
    await cancel(world, wrong, 5_000)
    good = await world.buy(5_000)
    assert [each.name for each in await issued(world, good)] == ["R-2030-000001"]
    assert await issued(world, wrong) == []
    waits = await world.pool.fetch(WAITS, wrong.order_id)
    assert [row["error"] for row in waits] == ["DoesNotAddUp", "ReceiptPutAside"]
    assert await world.pool.fetchval(PAPERS_PUT_ASIDE) == 2
    await issue_papers(world, wrong)
    assert await issued(world, wrong) == [], "nobody has mended the lines"
    await right(world, wrong)
    await issue_papers(world, wrong)
    receipt, note = await issued(world, wrong)
    assert (receipt.name, note.name) == ("R-2030-000002", "C-2030-000001")
    assert note.content.receipt == receipt.name
    assert await world.pool.fetch(GAPS) == []
    with pytest.raises(NothingPutAside):
        await issue_papers(world, wrong)


async def issue_papers(world: World, order: Bought) -> None:
    """Let an operator have the papers of a purchase tried again."""
    deed = Deed("somebody", "issue_papers", str(order.order_id), "They add up now.")
    act = ACTIONS["issue_papers"]
    await in_transaction(world.pool, lambda conn: carry_out(conn, act, deed, world.clock.now()))
    await world.rest()
