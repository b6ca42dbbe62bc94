"""Looks for what nobody may see in the clear, everywhere a marketplace leaves words behind.

Looked for are the personal data of everybody who has an account, the tokens that were mailed, the
passwords and cards of the journeys, the secrets of the site, and whatever has the form of a token
or a hash. Looked at are all logs, every record of every topic, and the tables that keep events,
answers and what operators did; of booking and payments, which own no contact data, every table.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer

from dev.client import Json
from dev.journey import GOOD_CARD, PASSWORD, calling
from dev.marketplace import Marketplace

SCAN_SECONDS = 120.0
BATCH_MS = 2_000
MAILS_AT_MOST = 100_000
SHOWN = 60
"""How many characters around a find are told, without the find itself."""
CARDS = (GOOD_CARD, "4242 4242 4242 4242", "4000000000000002", "4000 0000 0000 0002")
FORMS: dict[str, re.Pattern[bytes]] = {
    "an access token": re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{20,}\.[\w-]{40,}"),
    "a sealed cookie": re.compile(rb"mentorium=eyJ"),
    "an authorization": re.compile(rb"bearer eyj", re.IGNORECASE),
    "a hash of a password": re.compile(rb"\$argon2"),
}
ZONE = "a zone"
RIGHTLY = {("the table booking.availability", ZONE)}
"""What stands where it belongs: weekly hours are hours of a zone."""
PEOPLE = "SELECT email, name, zone FROM profiles.people"
TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
WHERE schemaname IN ('booking', 'payments') OR (
    schemaname IN ('profiles', 'notifications') AND tablename IN (
        'outbox', 'kept_events', 'inbox', 'idempotency', 'rate_buckets', 'dead_letter_log',
        'operator_log', 'operator_requests', 'order_facts', 'republish_requests'
    )
)
ORDER BY name
"""
_TOKEN = re.compile(r"token=([\w.\-]{20,})")


@dataclass(frozen=True)
class Known:
    """What is personal about somebody."""

    email: str
    name: str
    zone: str


@dataclass(frozen=True)
class Place:
    """Somewhere words are left, and the words; of a table its rows as text."""

    name: str
    content: bytes


async def leaks(market: Marketplace, *also: Known) -> list[str]:
    """Return what stands in the clear and where; each find is described, never repeated.

    Looked for is what is known of everybody with an account, and of others who are named.
    """
    async with asyncio.timeout(SCAN_SECONDS):
        wanted = await _wanted(market, also)
        found: list[str] = []
        async for place in _places(market):
            found += _found_in(place, wanted)
        return sorted(set(found))


def _found_in(place: Place, wanted: dict[bytes, str]) -> list[str]:
    content = place.content.lower()
    found = [
        f"{what} in {place.name}: {_around(content, content.find(text), len(text))}"
        for text, what in wanted.items()
        if text in content and (place.name, what) not in RIGHTLY
    ]
    for what, form in FORMS.items():
        if match := form.search(place.content):
            found.append(f"{what} in {place.name}: {_around(content, *_span(match))}")
    return found


def _span(match: re.Match[bytes]) -> tuple[int, int]:
    return match.start(), match.end() - match.start()


def _around(content: bytes, at: int, length: int) -> str:
    before, after = content[max(0, at - SHOWN) : at], content[at + length : at + length + SHOWN]
    return f"{before.decode(errors='replace')}[…]{after.decode(errors='replace')}".replace(
        "\n", " "
    )


async def _wanted(market: Marketplace, also: Sequence[Known]) -> dict[bytes, str]:
    """Return what is looked for in small letters, each with a word for what it is."""
    conn = await asyncpg.connect(market.site.database_url("ops_reader"))
    try:
        people = [Known(**dict(row)) for row in await conn.fetch(PEOPLE)]
    finally:
        await conn.close()
    wanted = {PASSWORD: "a password"} | dict.fromkeys(CARDS, "a card")
    wanted |= dict.fromkeys(await _mailed_tokens(market), "a mailed token")
    wanted |= {text: f"the secret {name}" for name, text in market.site.home.secrets.items()}
    for person in (*people, *also):
        wanted |= {person.email: "an address", person.name: "a name"}
        if "/" in person.zone:  # UTC is nobody's in particular.
            wanted[person.zone] = ZONE
    return {text.lower().encode(): what for text, what in wanted.items()}


async def _mailed_tokens(market: Marketplace) -> list[str]:
    async with calling(market) as caller:
        found: Json = await caller.send(
            "GET", "mail", "/api/messages", query={"limit": str(MAILS_AT_MOST)}
        )
    return [token for mail in found["items"] for token in _TOKEN.findall(str(mail["text"]))]


async def _places(market: Marketplace) -> AsyncGenerator[Place]:
    for log in sorted(market.site.home.logs.iterdir()):
        yield Place(f"the log {log.name}", await asyncio.to_thread(log.read_bytes))
    async for place in _topics(market):
        yield place
    async for place in _tables(market):
        yield place


async def _topics(market: Marketplace) -> AsyncGenerator[Place]:
    """Give every record of every topic: keys, headers and values."""
    words: dict[str, list[bytes]] = {}
    async for record in published(market):
        words.setdefault(record.topic, []).extend(_words(record))
    for name, parts in words.items():
        yield Place(f"the topic {name}", b"\n".join(parts))


async def published(market: Marketplace) -> AsyncGenerator[Any]:
    """Give every record of every topic, as it lies there now."""
    async with _consumer(market) as asking:
        names = sorted(await asking.topics())
    async with _consumer(market, *names) as consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=BATCH_MS)).values():
                for record in records:
                    yield record


@asynccontextmanager
async def _consumer(market: Marketplace, *topics: str) -> AsyncGenerator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=market.site.kafka_bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def _words(record: Any) -> list[bytes]:
    headers = [part for name, value in record.headers for part in (name.encode(), value)]
    return [record.key or b"", record.value or b"", *headers]


async def _tables(market: Marketplace) -> AsyncGenerator[Place]:
    conn = await asyncpg.connect(
        market.site.database_url("ops_reader"), server_settings={"bytea_output": "escape"}
    )
    try:
        for row in await conn.fetch(TABLES):
            rows = await conn.fetch(f"SELECT t::text AS line FROM {row['name']} AS t")  # noqa: S608
            yield Place(f"the table {row['name']}", "\n".join(r["line"] for r in rows).encode())
    finally:
        await conn.close()
