"""People, offerings and finished sessions for a marketplace that would otherwise be empty.

People and offerings go through each service's own commands, in batches, with their facts in the
outbox; connected accounts are made by `payments` at Stripe's simulator. Every session is a whole
journey on the public API, carried on through faults.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from dev.client import Caller, Json, Person, Refused, until
from dev.journey import PASSWORD, Purchase, buy, calling, free_slots, in_state
from dev.made_up import Newcomer, Plan, made_up_person, made_up_plan
from dev.marketplace import Marketplace, Say
from services.booking.commands import offerings as booking
from services.booking.commands.availability import set_availability
from services.booking.domain.offerings import Offering
from services.booking.domain.terms import Terms
from services.booking.slots import Rules, WeeklyHours
from services.payments.commands import accounts as payments
from services.payments.domain.accounts import ConnectedAccount
from services.payments.store.accounts import load_account
from services.profiles.commands import accounts as profiles
from services.profiles.commands import mentors as vetting
from services.profiles.commands.office import Office
from services.profiles.commands.passwords import Passwords
from services.profiles.domain.keys import Rotation
from services.profiles.domain.mentors import Step
from services.profiles.store import accounts as people
from shared.db import Connection, Pool, in_transaction, open_pool
from shared.errors import Refusal
from shared.outbox import Announcer

BATCH = 25
AT_ONCE = 10
SLOT_TRIES = 20
UNTIL_PAID_OUT = timedelta(days=6)
ACCOUNTS_SECONDS = 300.0
OPENS_MINUTE, CLOSES_MINUTE = 9 * 60, 18 * 60
NEVER_ROTATES = Rotation(*(timedelta.max for _ in range(3)))

T = TypeVar("T")


@dataclass(frozen=True)
class Pools:
    """A pool of each service's own role."""

    profiles: Pool
    booking: Pool
    payments: Pool


async def seed_marketplace(
    market: Marketplace, say: Say, *, mentors: int, mentees: int, sessions: int, seed: int
) -> None:
    """Add people and offerings, then take every session from slot to payout.

    Returns when all sessions have ended; raises `JourneyFailed` when one does not.
    """
    dice = random.Random(seed)  # noqa: S311  Made-up people, repeatable on purpose.
    async with _pools(market) as pools:
        office = _office(market)
        made = await _add_people(market, pools, office, dice, mentors, "mentor", say)
        offerings = await _open_for_business(market, pools, office, made, dice, say)
        guests = await _add_people(market, pools, office, dice, mentees, "mentee", say)
    if sessions and offerings and guests:
        async with calling(market) as caller:
            await _hold_sessions(caller, offerings, guests, sessions, say)


@asynccontextmanager
async def _pools(market: Marketplace) -> AsyncGenerator[Pools]:
    opened = [
        await open_pool(
            market.site.environment(service)[f"{service.upper()}_DATABASE_URL"],
            process="seed",
            largest=4,
        )
        for service in ("profiles", "booking", "payments")
    ]
    try:
        yield Pools(*opened)
    finally:
        for pool in opened:
            await pool.close()


def _office(market: Marketplace) -> Office:
    given = market.site.environment("profiles")
    return Office(
        announcer=Announcer("profiles"),
        seal_public_key=given["SEAL_PUBLIC_KEY"],
        web_url=given["PROFILES_WEB_URL"],
        secret=b"",
        operator_emails=frozenset(),
        rotation=NEVER_ROTATES,
    )


def _batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


async def _add_people(
    market: Marketplace,
    pools: Pools,
    office: Office,
    dice: random.Random,
    count: int,
    wants: str,
    say: Say,
) -> list[Newcomer]:
    hashed = await Passwords().hash(PASSWORD)
    wanted = [made_up_person(dice, number) for number in range(count)]
    added: list[Newcomer] = []
    for batch in _batches(wanted):

        async def add(conn: Connection, batch: Sequence[Newcomer] = batch) -> list[Newcomer]:
            return [await _register(conn, market, office, each, wants, hashed) for each in batch]

        added += await in_transaction(pools.profiles, add)
        say(f"  {len(added)} of {count} people ({wants}s)")
    return added


async def _register(
    conn: Connection, market: Marketplace, office: Office, wanted: Newcomer, wants: str, hashed: str
) -> Newcomer:
    now = market.clock.now()
    sign_up = profiles.SignUp(wanted.email, wanted.name, "en", wanted.zone, wants, hashed)
    person_id = await profiles.sign_up(conn, office, sign_up, now=now)
    await profiles.prove_address(conn, office, await people.lock_person(conn, person_id), now=now)
    return replace(wanted, person_id=person_id)


async def _open_for_business(
    market: Marketplace,
    pools: Pools,
    office: Office,
    mentors: Sequence[Newcomer],
    dice: random.Random,
    say: Say,
) -> list[Offering]:
    plans = [made_up_plan(mentor, dice) for mentor in mentors]
    offerings: list[Offering] = []
    for batch in _batches(plans):

        async def vet(conn: Connection, batch: Sequence[Plan] = batch) -> None:
            for each in batch:
                await _vet(conn, market, office, each)

        async def connect(conn: Connection, batch: Sequence[Plan] = batch) -> None:
            for each in batch:
                await _connect(conn, market, each.mentor)

        async def offer(conn: Connection, batch: Sequence[Plan] = batch) -> list[Offering]:
            return [await _offer(conn, each) for each in batch]

        await in_transaction(pools.profiles, vet)
        await in_transaction(pools.payments, connect)
        offerings += await in_transaction(pools.booking, offer)
    await _onboard(market, pools, mentors, say)
    published = 0
    for some in _batches(offerings):
        await until(lambda some=some: _published(market, pools, some), "publishing")
        published += len(some)
        say(f"  {published} of {len(offerings)} offerings published")
    return offerings


async def _vet(conn: Connection, market: Marketplace, office: Office, plan: Plan) -> None:
    mentor_id, now = plan.mentor.person_id, market.clock.now()
    await vetting.rewrite_mentor_profile(conn, mentor_id, plan.words, seen_version=0)
    for step in (Step.SUBMIT, Step.APPROVE):
        await vetting.move_mentor(conn, office, mentor_id, step, now=now)


async def _connect(conn: Connection, market: Marketplace, mentor: Newcomer) -> None:
    now, page = market.clock.now(), f"{market.url('web')}/mentor"
    await payments.connect_account(
        conn, ConnectedAccount(mentor.person_id, "US", page, page, now), now
    )


async def _offer(conn: Connection, plan: Plan) -> Offering:
    days = tuple(WeeklyHours(day, OPENS_MINUTE, CLOSES_MINUTE) for day in range(5))
    mentor_id, rules = plan.mentor.person_id, Rules(plan.mentor.zone, days)
    room = f"https://meet.example.com/{mentor_id}"
    await set_availability(conn, mentor_id, rules, room, version=0)
    return await booking.create_offering(conn, mentor_id, plan.content)


async def _published(
    market: Marketplace, pools: Pools, offerings: Sequence[Offering]
) -> bool | None:
    async def publish(conn: Connection) -> None:
        for each in offerings:
            now = market.clock.now()
            await booking.publish(conn, each.offering_id, each.mentor_id, terms=Terms(), now=now)

    try:
        await in_transaction(pools.booking, publish)
    except Refusal:
        return None  # The facts about approval or account are still on their way.
    return True


async def _onboard(
    market: Marketplace, pools: Pools, mentors: Sequence[Newcomer], say: Say
) -> None:
    """Go through Stripe's onboarding for every mentor, as soon as payments has the account."""
    connected = 0
    async with calling(market) as caller:

        async def onboard(mentor: Newcomer) -> None:
            nonlocal connected
            account_id = await until(
                lambda: _account_of(pools, mentor), "making an account", ACCOUNTS_SECONDS
            )
            path = f"/_sim/accounts/{account_id}/complete"
            await caller.send("POST", "stripe", path, body={})
            connected += 1
            if connected % BATCH == 0 or connected == len(mentors):
                say(f"  {connected} of {len(mentors)} accounts connected")

        await _some_at_once(onboard, mentors)


async def _account_of(pools: Pools, mentor: Newcomer) -> str | None:
    async with pools.payments.acquire() as conn:
        account = await load_account(conn, mentor.person_id)
    return account.stripe_account_id if account else None


async def _some_at_once(do: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Do something for every item in their order, `AT_ONCE` at a time."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with turns:
            await do(item)

    await asyncio.gather(*(one(item) for item in items))


async def _hold_sessions(
    caller: Caller,
    offerings: Sequence[Offering],
    guests: Sequence[Newcomer],
    sessions: int,
    say: Say,
) -> None:
    turns, ended = asyncio.Semaphore(AT_ONCE), 0
    mentees = [Person(caller, each.name, each.email, PASSWORD) for each in guests]
    for mentee in mentees:
        await mentee.sign_in()

    async def one(number: int) -> tuple[Person, Purchase]:
        nonlocal ended
        mentee = mentees[number % len(mentees)]
        offering = offerings[number % len(offerings)]
        async with turns:
            purchase = await buy_some_slot(mentee, str(offering.offering_id), number)
        ended += 1
        say(f"  {ended} of {sessions} sessions paid and confirmed")
        return mentee, purchase

    bought = await asyncio.gather(*(one(number) for number in range(sessions)))
    last = max(purchase.ends_at for _, purchase in bought)
    say("  Time passes: the sessions take place, are completed, and are paid out.")
    await caller.market.advance_to(last + UNTIL_PAID_OUT)
    for mentee, purchase in bought:
        await in_state(mentee, purchase, "completed")
    say(f"  {sessions} sessions ended")


async def buy_some_slot(mentee: Person, offering_id: str, number: int) -> Purchase:
    """Buy one of the free times; somebody else may always be faster."""
    for attempt in range(SLOT_TRIES):
        slots: list[Json] = await free_slots(mentee, offering_id)
        try:
            return await buy(mentee, offering_id, slots[(number * 3 + attempt) % len(slots)])
        except Refused as refused:
            if refused.code not in ("slot_taken", "slot_not_offered", "too_many_holds"):
                raise
    raise Refused("buying a session", 409, {"code": "slot_taken"})
