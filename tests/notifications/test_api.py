"""The feed over HTTP: one's own, in one's own words, page by page; bad input changes nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from joserfc.jwk import ECKey, KeySet
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.notifications.api import make_api
from shared.auth import Principal, Role, Verifier, sign_access_token
from shared.contracts import payments
from shared.ids import PersonId, new_id
from shared.limits import Limiter
from shared.web.openapi import document
from shared.web.server import Surroundings, build
from tests.notifications.conftest import NOW, SENDER, STARTS, Marketplace, contact

KEY = ECKey.generate_key("P-256", {"kid": "test"})
Client = TestClient[Request, Application]


async def keys() -> KeySet:
    return KeySet([KEY])


@pytest.fixture
async def client(market: Marketplace) -> AsyncGenerator[Client]:
    """Give a client of the running API."""
    limiter = Limiter(market.pool)
    around = Surroundings(lambda: market.pool, market.clock, Verifier(keys), lambda: limiter)
    async with TestClient(TestServer(build(make_api(SENDER), around))) as made:
        yield made


def signed_in(person: UUID) -> dict[str, str]:
    """Return the header that a person's requests carry."""
    principal = Principal(PersonId(person), frozenset({Role.MENTEE}), new_id())
    return {"Authorization": f"Bearer {sign_access_token(KEY, principal)}"}


async def test_the_feed_tells_what_happened_latest_first(market: Marketplace, client: Client):
    """Items are in the reader's language, with the order they are about."""
    await market.meet(mentee_locale="de")
    await market.hear(market.held())
    await market.hear(market.paid(), at=NOW)
    await market.work()
    market.clock.instant = NOW + timedelta(minutes=1)
    await market.hear(market.confirmed())
    await market.work()
    answer = await client.get("/v1/me/feed", headers=signed_in(market.mentee))
    assert answer.status == 200
    page = await answer.json()
    assert [item["kind"] for item in page["items"]] == ["session_confirmed", "payment_receipt"]
    first, second = page["items"]
    assert first["title"] == "Bestätigt: Career talk mit Mia Mentor"
    assert (
        second["text"].startswith("Wir haben 120,00\xa0$ für deine Sitzung")
        or "120,00 $" in (second["text"])
    )
    assert first["order_id"] == str(market.order)
    assert first["read"] is False
    assert first["at"] == "2026-03-02T12:01:00Z"
    assert page.get("next_cursor") is None


async def test_planned_reminders_are_not_in_the_feed_before_their_time(
    market: Marketplace, client: Client
):
    """The feed shows what has happened, not what is planned."""
    await market.meet()
    await market.confirm()
    await market.work()
    headers = signed_in(market.mentee)
    before = await (await client.get("/v1/me/feed", headers=headers)).json()
    await market.advance_to(STARTS - timedelta(hours=1))
    after = await (await client.get("/v1/me/feed", headers=headers)).json()
    assert [item["kind"] for item in before["items"]] == ["session_confirmed"]
    assert [item["kind"] for item in after["items"]] == ["reminder_hour", "session_confirmed"]


async def test_pages_follow_one_another_without_gaps(market: Marketplace, client: Client):
    """Every item is on exactly one page, also when all carry the same instant."""
    for version in range(1, 8):
        await market.hear(payout(market.mentor, version))
    await market.work()
    headers, cursor = signed_in(market.mentor), None
    seen: list[str] = []
    for _ in range(4):
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = await (await client.get("/v1/me/feed", params=query, headers=headers)).json()
        seen += [item["message_id"] for item in page["items"]]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 7


async def test_reading_clears_the_count_up_to_what_was_seen(market: Marketplace, client: Client):
    """What came after the page was loaded stays unread."""
    await market.hear(payout(market.mentor, 1))
    await market.work()
    market.clock.instant = NOW + timedelta(minutes=5)
    await market.hear(payout(market.mentor, 2))
    await market.work()
    headers = signed_in(market.mentor)
    assert await (await client.get("/v1/me/feed/unread", headers=headers)).json() == {"unread": 2}
    for _ in range(2):
        answer = await client.post(
            "/v1/me/feed/read", json={"up_to": "2026-03-02T12:00:00Z"}, headers=headers
        )
        assert answer.status == 200
        assert await answer.json() == {"unread": 1}
    page = await (await client.get("/v1/me/feed", headers=headers)).json()
    assert [item["read"] for item in page["items"]] == [False, True]


async def test_a_feed_is_its_persons_alone(market: Marketplace, client: Client):
    """Another person sees nothing of it and marks nothing in it."""
    await market.hear(contact(market.mentor))
    await market.hear(payout(market.mentor, 1))
    await market.work()
    stranger, own = signed_in(new_id()), signed_in(market.mentor)
    assert (await (await client.get("/v1/me/feed", headers=stranger)).json())["items"] == []
    body = {"up_to": "2030-01-01T00:00:00Z"}
    await client.post("/v1/me/feed/read", json=body, headers=stranger)
    assert await (await client.get("/v1/me/feed/unread", headers=own)).json() == {"unread": 1}


async def test_mail_that_failed_still_shows_in_the_feed(market: Marketplace, client: Client):
    """The feed does not depend on the mail server or on a known address."""
    await market.mailbox.stop()
    await market.hear(payout(market.mentor, 1))
    await market.work()
    page = await (await client.get("/v1/me/feed", headers=signed_in(market.mentor))).json()
    assert [item["title"] for item in page["items"]] == ["¥5,000 arrived at your bank"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/me/feed?limit=0", None, 422, "shape_invalid"),
        ("GET", "/v1/me/feed?limit=101", None, 422, "shape_invalid"),
        ("GET", "/v1/me/feed?page=2", None, 422, "shape_invalid"),
        ("GET", "/v1/me/feed?cursor=%21%21", None, 422, "cursor_invalid"),
        ("GET", "/v1/me/feed?cursor=WyJhIl0=", None, 422, "cursor_invalid"),
        ("GET", "/v1/me/feed?cursor=WyJhIiwiYiJd", None, 422, "cursor_invalid"),
        ("GET", "/v1/me/feed?cursor=WyIyMDI2LTAxLTAxIiwiYiJd", None, 422, "cursor_invalid"),
        ("POST", "/v1/me/feed/read", b"{}", 422, "shape_invalid"),
        ("POST", "/v1/me/feed/read", b"{", 400, "json_invalid"),
        ("POST", "/v1/me/feed/read", b'{"up_to":"yesterday"}', 422, "shape_invalid"),
        ("POST", "/v1/me/feed/read", b'{"up_to":"2026-01-01T00:00:00"}', 422, "shape_invalid"),
        (
            "POST",
            "/v1/me/feed/read",
            b'{"up_to":"0001-01-01T00:00:00+14:00"}',
            422,
            "shape_invalid",
        ),
        (
            "POST",
            "/v1/me/feed/read",
            b'{"up_to":"2026-01-01T00:00:00Z","all":true}',
            422,
            "shape_invalid",
        ),
        ("DELETE", "/v1/me/feed", None, 405, "method_not_allowed"),
    ],
)
async def test_bad_input_is_named_and_changes_nothing(
    market: Marketplace,
    client: Client,
    method: str,
    path: str,
    body: bytes | None,
    status: int,
    code: str,
):
    """Every wrong request gets a problem document with a stable code."""
    await market.hear(payout(market.mentor, 1))
    await market.work()
    headers = signed_in(market.mentor) | {"Content-Type": "application/json"}
    answer = await client.request(method, path, data=body, headers=headers)
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    assert (await answer.json())["code"] == code
    unread = await client.get("/v1/me/feed/unread", headers=signed_in(market.mentor))
    assert await unread.json() == {"unread": 1}


@pytest.mark.parametrize("path", ["/v1/me/feed", "/v1/me/feed/unread"])
async def test_nobody_reads_without_signing_in(client: Client, path: str):
    """Without a token, or with a forged one, the answer is 401."""
    assert (await client.get(path)).status == 401
    forged = sign_access_token(
        ECKey.generate_key("P-256", {"kid": "test"}),
        Principal(PersonId(new_id()), frozenset({Role.OPERATOR}), new_id()),
    )
    answer = await client.get(path, headers={"Authorization": f"Bearer {forged}"})
    assert (answer.status, (await answer.json())["code"]) == (401, "token_invalid")


def test_the_openapi_document_is_valid():
    """What /openapi.json says follows OpenAPI 3.1."""
    OpenAPIV31SpecValidator(document(make_api(SENDER), version="1")).validate()


def payout(mentor: UUID, version: int) -> payments.PayoutPaid:
    """Return one of several payouts that arrived."""
    return payments.PayoutPaid(
        version=version,
        mentor_id=mentor,
        stripe_payout_id=f"po_{version}",
        amount_minor=5_000,
        currency="JPY",
    )
