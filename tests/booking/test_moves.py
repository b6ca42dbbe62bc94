"""Moving a session: who must agree, what it costs, and that the new time is sold once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.booking.commands.moves import Mover, move_session
from services.booking.domain.holds import SlotTaken
from services.booking.domain.moves import PROPOSALS_AT_MOST, Meaning, MoveWish
from services.booking.domain.orders import Order
from shared.auth import Role
from shared.contracts.booking import (
    BookingCancelled,
    BookingExpired,
    MoveDeclined,
    MoveProposed,
    SessionMoved,
)
from shared.db import in_transaction
from tests.booking.conftest import NOW, SLOT, TERMS, Marketplace, Person

LATER = SLOT + timedelta(hours=3)
INSIDE = SLOT - timedelta(hours=23)
"""An instant inside the window of the standard preset, whose first step is 24 hours."""
DEADLINE_SECONDS = 60
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
FREE = Meaning(immediate=True, refundable_after=True)


async def preview(
    market: Marketplace, order: Any, who: Person, starts_at: datetime = LATER, **query: str
) -> tuple[int, Any]:
    """Ask what a move would mean."""
    path = f"/v1/orders/{order['order_id']}/move-preview"
    params = {"starts_at": starts_at.isoformat(), **query}
    return await market.call("GET", path, who, params=params)


async def move(
    market: Marketplace, order: Any, who: Person, starts_at: datetime = LATER, **body: Any
) -> tuple[int, Any]:
    """Move with what the preview shows, unless the body says otherwise."""
    status, shown = await preview(market, order, who, starts_at)
    if status != 200:
        return status, shown
    meaning = {
        "shown_immediate": shown["immediate"],
        "shown_refundable_after": shown["refundable_after"],
    }
    path = f"/v1/orders/{order['order_id']}/move"
    body = {"starts_at": starts_at.isoformat(), **meaning, **body}
    return await market.call("POST", path, who, json=body)


async def answer(market: Marketplace, order: Any, who: Person, word: str) -> tuple[int, Any]:
    """Accept or decline what is proposed."""
    return await market.call("POST", f"/v1/orders/{order['order_id']}/move/{word}", who, json={})


async def seats(market: Marketplace) -> set[tuple[datetime, datetime]]:
    """Return the times that are sold."""
    rows = await market.pool.fetch(
        "SELECT lower(during) AS a, upper(during) AS b FROM participations WHERE active"
    )
    return {(row["a"], row["b"]) for row in rows}


async def test_a_mentee_moves_at_once_outside_the_window(market: Marketplace):
    """The old time is free, the new one sold, the calendar told, and completion comes later."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    assert await preview(market, order, mentee) == (
        200,
        {"by": "mentee", "immediate": True, "refundable_after": True, "moves_left": 2},
    )
    status, moved = await move(market, order, mentee)
    assert (status, moved["starts_at"], moved["moves_left"]) == (200, "2026-03-06T17:00:00Z", 1)
    assert await seats(market) == {(LATER, LATER + timedelta(hours=1))}
    (fact,) = await market.facts(SessionMoved)
    assert (fact.by, fact.was_starts_at, fact.starts_at) == ("mentee", SLOT, LATER)
    assert (fact.calendar_sequence, fact.refundable, fact.version) == (1, True, 3)
    due = await market.pool.fetch("SELECT due_at FROM due WHERE kind = 'completion'")
    assert [row["due_at"] for row in due] == [LATER + timedelta(hours=25)]
    status, _ = await market.ask(market.person(), order["offering_id"])
    assert status == 201


async def test_a_session_moves_onto_part_of_its_own_time(market: Marketplace):
    """Half an hour later: its own time does not stand in its way."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee, buffer_before_minutes=30)
    status, moved = await move(market, order, mentee, SLOT + timedelta(minutes=30))
    assert (status, moved["starts_at"]) == (200, "2026-03-06T14:30:00Z")
    assert await market.overlaps() == 0


async def test_times_to_move_to_are_as_the_session_was_sold(market: Marketplace):
    """Also of an offering that is withdrawn, its own time but for its start; to the two alone."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    path = f"/v1/me/offerings/{order['offering_id']}/withdraw"
    assert (await market.call("POST", path, mentor))[0] == 200
    path = f"/v1/orders/{order['order_id']}/move-slots"
    near = (SLOT - timedelta(hours=2), SLOT + timedelta(hours=2))
    window = {"from": near[0].isoformat(), "until": near[1].isoformat()}
    window["session_id"] = order["session_id"]
    for who in (mentor, mentee):
        status, found = await market.call("GET", path, who, params=window)
        starts = {datetime.fromisoformat(each["starts_at"]) for each in found["items"]}
        assert (status, SLOT in starts) == (200, False)
        assert SLOT + timedelta(minutes=30) in starts
        for start in sorted(starts)[:2]:
            assert (await preview(market, order, who, start))[0] == 200
    assert (await market.call("GET", path, market.person(), params=window))[0] == 404


async def test_inside_the_window_the_mentor_must_agree_and_no_money_comes_back(
    market: Marketplace,
):
    """Agreed, the session has moved for good: calling it off returns nothing, however early."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = INSIDE
    later = SLOT + timedelta(days=7)
    status, asked = await move(market, order, mentee, later, reason="I am ill.")
    assert (status, asked["starts_at"]) == (200, order["starts_at"])
    assert asked["proposal"]["by"] == "mentee"
    assert not asked["can"]["answer_move"]
    (proposed,) = await market.facts(MoveProposed)
    assert (proposed.proposed_starts_at, proposed.answer_by) == (later, SLOT)
    assert proposed.reason_given
    assert (await answer(market, order, mentee, "accept"))[1]["code"] == "not_your_part"
    status, moved = await answer(market, order, mentor, "accept")
    assert (status, moved["refundable"], moved["proposal"]) == (200, False, None)
    path = f"/v1/orders/{order['order_id']}"
    _, share = await market.call("GET", f"{path}/cancellation-preview", mentee)
    assert share["refund_basis_points"] == 0
    status, again = await preview(market, order, mentee, LATER + timedelta(days=7))
    assert (again["immediate"], again["refundable_after"]) == (False, False)
    # The mentor who calls it off gives back everything all the same.
    shown = {"shown_refund_basis_points": 10_000}
    assert (await market.call("POST", f"{path}/cancel", mentor, json=shown))[0] == 200
    assert (await market.facts(BookingCancelled))[0].refund_basis_points == 10_000


async def test_a_mentors_move_needs_consent_and_costs_the_mentee_nothing(market: Marketplace):
    """Also inside the window; the mentee's own moves and refund stay as they were."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = INSIDE
    status, shown = await preview(market, order, mentor, SLOT + timedelta(days=7))
    assert (status, shown["immediate"], shown["refundable_after"]) == (200, False, True)
    await move(market, order, mentor, SLOT + timedelta(days=7))
    assert await seats(market) == {(SLOT, SLOT + timedelta(hours=1))}
    _, seen = await market.call("GET", f"/v1/orders/{order['order_id']}", mentee)
    assert seen["can"]["answer_move"]
    status, moved = await answer(market, order, mentee, "accept")
    assert (status, moved["refundable"], moved["moves_left"]) == (200, True, 2)
    assert (await market.facts(SessionMoved))[0].by == "mentor"


async def test_a_proposal_is_declined_withdrawn_or_lapses(market: Marketplace):
    """One at a time; nobody loses a move by it, and the session stays where it is."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    await move(market, order, mentor)
    assert (await move(market, order, mentor))[1]["code"] == "proposal_open"
    assert (await move(market, order, mentee))[1]["code"] == "proposal_open"
    assert (await answer(market, order, mentee, "decline"))[1]["proposal"] is None
    assert (await answer(market, order, mentee, "accept"))[1]["code"] == "no_proposal"
    await move(market, order, mentor)
    assert (await answer(market, order, mentor, "decline"))[0] == 200
    _, asked = await move(market, order, mentor)
    assert asked["moves_left"] == 2
    due = await market.pool.fetch("SELECT subject, due_at FROM due WHERE kind = 'move_lapse'")
    assert [(row["subject"], row["due_at"]) for row in due] == [
        (order["session_id"], NOW + timedelta(hours=48))
    ]
    market.advance(timedelta(hours=48))
    assert (await answer(market, order, mentee, "accept"))[1]["code"] == "no_proposal"
    assert await market.work() == 1
    declined = await market.facts(MoveDeclined)
    assert [fact.by for fact in declined] == ["mentee", "mentor", "system"]
    assert await market.pool.fetchval("SELECT count(*) FROM due WHERE kind = 'move_lapse'") == 0


async def test_nobody_asks_for_another_time_for_ever(market: Marketplace):
    """Withdrawn or declined, each was a letter; the other side still may, and a move at once."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    for number in range(PROPOSALS_AT_MOST):
        assert (await move(market, order, mentor))[0] == 200
        who = (mentor, mentee)[number % 2]
        assert (await answer(market, order, who, "decline"))[0] == 200
    status, problem = await move(market, order, mentor)
    assert (status, problem["code"]) == (409, "too_many_proposals")
    _, seen = await market.call("GET", f"/v1/orders/{order['order_id']}", mentor)
    assert not seen["can"]["move"]
    _, moved = await move(market, order, mentee)
    assert moved["starts_at"] == LATER.isoformat().replace("+00:00", "Z")
    market.clock.instant = LATER - timedelta(hours=23)
    assert (await move(market, order, mentee, LATER + timedelta(hours=2)))[1]["proposal"]


@pytest.mark.parametrize(("asked_at", "to", "answer_by"), [
    (SLOT - timedelta(hours=4), LATER, SLOT),
    (SLOT - timedelta(hours=8), SLOT - timedelta(hours=3), SLOT - timedelta(hours=3)),
])  # fmt: skip
async def test_a_proposal_lapses_when_either_time_has_come(
    market: Marketplace, asked_at: datetime, to: datetime, answer_by: datetime
):
    """The session's start, or the one that is proposed, if that is sooner than 48 hours."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = asked_at
    _, asked = await move(market, order, mentor, to)
    assert datetime.fromisoformat(asked["proposal"]["answer_by"]) == answer_by


async def test_calling_a_session_off_ends_what_was_proposed(market: Marketplace):
    """And nothing lapses later."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    await move(market, order, mentor)
    path = f"/v1/orders/{order['order_id']}/cancel"
    shown = {"shown_refund_basis_points": 10_000}
    status, seen = await market.call("POST", path, mentee, json=shown)
    assert (status, seen["proposal"]) == (200, None)
    market.advance(timedelta(days=3))
    assert await market.work() == 0
    assert (await answer(market, order, mentee, "accept"))[1]["code"] == "no_proposal"


async def test_two_moves_each_and_no_more(market: Marketplace):
    """The third of a mentee is refused; the mentor still has two."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    for hours in (1, 2):
        assert (await move(market, order, mentee, SLOT + timedelta(hours=hours)))[0] == 200
    status, problem = await move(market, order, mentee)
    assert (status, problem["code"], problem["facts"]["at_most"]) == (409, "no_moves_left", 2)
    assert (await move(market, order, mentor))[1]["moves_left"] == 2


async def test_what_was_shown_must_still_hold(market: Marketplace):
    """Shown outside the window, confirmed inside it: refused, with what it would mean now."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = INSIDE
    status, problem = await move(
        market, order, mentee, shown_immediate=True, shown_refundable_after=True
    )
    assert (status, problem["code"]) == (409, "preview_outdated")
    assert problem["facts"] == {"immediate": False, "refundable_after": False}
    assert await market.facts(SessionMoved, MoveProposed) == []


async def test_only_what_is_offered_and_free_can_be_moved_to(market: Marketplace):
    """The hours, the notice and the horizon hold, also for what is no longer for sale."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    rival = await market.hold(market.person().person_id, order["offering_id"], LATER)
    path = f"/v1/me/offerings/{order['offering_id']}/withdraw"
    assert (await market.call("POST", path, mentor))[0] == 200
    for starts_at, code in (
        (SLOT + timedelta(minutes=7), "slot_not_offered"),
        (SLOT, "slot_not_offered"),
        (NOW + timedelta(minutes=30), "slot_not_offered"),
        (NOW + timedelta(days=70), "slot_not_offered"),
        (LATER, "slot_taken"),
        (LATER + timedelta(minutes=30), "slot_taken"),
    ):
        status, problem = await preview(market, order, mentee, starts_at)
        assert (status, problem["code"]) == (409, code), starts_at
    market.clock.instant = rival.expires_at
    assert (await move(market, order, mentee))[0] == 200
    assert [fact.order_id for fact in await market.facts(BookingExpired)] == [rival.order_id]


async def test_a_proposed_time_is_kept_for_nobody(market: Marketplace):
    """Sold meanwhile, accepting is refused and the session stays."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    await move(market, order, mentor)
    await market.hold(market.person().person_id, order["offering_id"], LATER)
    status, problem = await answer(market, order, mentee, "accept")
    assert (status, problem["code"], problem["facts"]["whose"]) == (409, "slot_taken", "mentor")
    assert (SLOT, SLOT + timedelta(hours=1)) in await seats(market)


async def test_a_time_agreed_to_too_late_respects_the_caps(market: Marketplace):
    """One session a day: another was sold on that day since the move was proposed."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee, daily_cap=1)
    tomorrow = SLOT + timedelta(days=1)
    await move(market, order, mentor, tomorrow)
    rival = market.person().person_id
    await market.hold(rival, order["offering_id"], tomorrow + timedelta(hours=2))
    status, problem = await answer(market, order, mentee, "accept")
    assert (status, problem["code"]) == (409, "slot_not_offered")
    assert await market.facts(SessionMoved) == []


async def test_nobody_else_moves_a_session(market: Marketplace):
    """Not strangers, not operators, not before it is paid, not once it began."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    for who in (market.person(), market.person(Role.OPERATOR)):
        assert (await preview(market, order, who))[0] == 404
        assert (await answer(market, order, who, "accept"))[0] == 404
    _, held = await market.ask(mentee, order["offering_id"], LATER)
    assert (await preview(market, held, mentee, SLOT))[1]["code"] == "not_confirmed"
    market.clock.instant = SLOT
    assert (await preview(market, order, mentee))[1]["code"] == "session_begun"


async def confirmed_at(market: Marketplace, offering_id: Any, starts_at: datetime) -> Order:
    """Return a paid session of somebody new."""
    order = await market.hold(market.person().person_id, offering_id, starts_at)
    assert await market.pay(order) == "handled"
    return order


async def try_to_move(market: Marketplace, order: Order, starts_at: datetime) -> bool:
    """Move a session at once by command; return whether the time was free."""
    mover = Mover(order.order_id, None, order.mentee_id)
    wish = MoveWish(starts_at, FREE)
    try:
        await in_transaction(
            market.pool,
            lambda conn: move_session(conn, mover, wish, terms=TERMS, now=market.clock.now()),
        )
    except SlotTaken:
        return False
    return True


async def test_many_move_to_one_free_time_and_one_has_it(market: Marketplace):
    """Sessions of one mentor, a rival who holds, all at the same moment."""
    offering_id = await market.offer(await market.mentor())
    hours = [SLOT + timedelta(hours=n) for n in range(10)]
    sessions = [await confirmed_at(market, offering_id, start) for start in hours]
    free = SLOT + timedelta(days=1)
    async with asyncio.timeout(DEADLINE_SECONDS):
        moved = await asyncio.gather(*(try_to_move(market, each, free) for each in sessions))
    assert moved.count(True) == 1
    assert len(await market.facts(SessionMoved)) == 1
    assert await market.overlaps() == 0


async def test_sessions_that_want_each_others_time_do_not_deadlock(market: Marketplace):
    """Both are refused, round after round, at once: neither time is free."""
    offering_id = await market.offer(await market.mentor())
    one, other = [
        await confirmed_at(market, offering_id, SLOT + timedelta(hours=n)) for n in range(2)
    ]
    rounds = count()
    async with asyncio.timeout(DEADLINE_SECONDS):
        for _ in range(5):
            moved = await asyncio.gather(
                try_to_move(market, one, SLOT + timedelta(hours=1)),
                try_to_move(market, other, SLOT),
            )
            assert moved == [False, False], next(rounds)
    assert await market.pool.fetchval(DEADLOCKS) == 0
    assert await market.overlaps() == 0


async def test_moves_and_holds_that_want_each_others_time_do_not_deadlock(market: Marketplace):
    """Neither a session that moves nor a hold that is replaced gets what the other has."""
    offering_id = await market.offer(await market.mentor())
    pairs = [(SLOT + n * timedelta(hours=1), LATER + n * timedelta(hours=1)) for n in range(3)]
    moved = [await confirmed_at(market, offering_id, mine) for mine, _ in pairs]
    held = [
        await market.hold(market.person().person_id, offering_id, theirs) for _, theirs in pairs
    ]

    async def try_to_replace(order: Order, starts_at: datetime) -> bool:
        try:
            await market.hold(order.mentee_id, offering_id, starts_at)
        except SlotTaken:
            return False
        return True

    async with asyncio.timeout(DEADLINE_SECONDS):
        for _ in range(4):
            done = await asyncio.gather(
                *(try_to_move(market, each, pairs[n][1]) for n, each in enumerate(moved)),
                *(try_to_replace(each, pairs[n][0]) for n, each in enumerate(held)),
            )
            assert not any(done)
    assert await market.pool.fetchval(DEADLOCKS) == 0
    assert await market.overlaps() == 0
