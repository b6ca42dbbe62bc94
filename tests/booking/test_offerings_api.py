"""Offerings over HTTP, with what is refused and why."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from openapi_spec_validator import validate

from services.booking.commands.offerings import publish
from services.booking.domain.offerings import CurrencyNotSettled
from services.booking.domain.terms import Terms
from shared.auth import Role
from shared.contracts.booking import OfferingPublished, OfferingWithdrawn
from shared.contracts.payments import AccountChanged
from shared.db import in_transaction
from shared.ids import OfferingId
from shared.web.openapi import document
from tests.booking.conftest import NOW, OFFERING, Marketplace

MINE = "/v1/me/offerings"


def slots_path(offering_id: object, since: datetime, until: datetime) -> str:
    window = f"from={since:%Y-%m-%dT%H:%M:%SZ}&until={until:%Y-%m-%dT%H:%M:%SZ}"
    return f"/v1/offerings/{offering_id}/slots?{window}"


async def test_the_document_describes_the_api(market: Marketplace):
    """It is OpenAPI 3.1 and names what is refused."""
    described = document(market.service.api, version="1")
    validate(described)
    refused = described["paths"]["/v1/orders"]["post"]["responses"]["409"]["$ref"]
    assert "slot_taken" in refused
    assert "policy_changed" in refused


async def test_an_offering_is_published_when_mentor_and_account_are_ready(market: Marketplace):
    """First not approved, then without an account that can receive, then for sale and told."""
    mentor = market.person(Role.MENTEE, Role.MENTOR)
    status, draft = await market.call("POST", MINE, mentor, json=OFFERING)
    assert (status, draft["state"]) == (201, "draft")
    path = f"{MINE}/{draft['offering_id']}/publish"
    status, problem = await market.call("POST", path, mentor)
    assert (status, problem["code"]) == (409, "mentor_not_approved")
    await market.approve(mentor)
    status, problem = await market.call("POST", path, mentor)
    assert (status, problem["code"]) == (409, "account_cannot_receive")
    await market.hear(AccountChanged(version=1, mentor_id=mentor.person_id, can_receive=True))
    status, answer = await market.call("POST", path, mentor)
    assert (status, answer["state"]) == (200, "published")
    status, again = await market.call("POST", path, mentor)
    assert (status, again) == (200, answer)
    (told,) = await market.facts(OfferingPublished)
    assert (told.version, told.price_minor, told.published) == (1, 12_000, True)


async def test_what_we_hold_no_balance_in_is_not_put_up_for_sale(market: Marketplace):
    """The refusal names the currencies that payments are settled in."""
    mentor = market.person(Role.MENTEE, Role.MENTOR)
    _, draft = await market.call("POST", MINE, mentor, json=OFFERING)
    await market.approve(mentor)
    terms = Terms(settlement_currencies=frozenset({"EUR"}))
    offering_id = OfferingId(UUID(draft["offering_id"]))
    with pytest.raises(CurrencyNotSettled) as refused:
        await in_transaction(
            market.pool,
            lambda conn: publish(
                conn, offering_id, mentor.person_id, terms=terms, now=market.clock.now()
            ),
        )
    assert refused.value.facts == {"currencies": "EUR"}
    assert await market.facts(OfferingPublished) == []


async def test_what_was_free_costs_nothing_until_an_account_can_receive(market: Marketplace):
    """A free call is for sale without an account; it gets no price before there is one."""
    mentor = market.person(Role.MENTEE, Role.MENTOR)
    await market.approve(mentor)
    offering_id = await market.offer(mentor, price_minor=0)
    path, free = f"{MINE}/{offering_id}", OFFERING | {"price_minor": 0, "title": "First talk"}
    assert (await market.call("PUT", path, mentor, version=2, json=free))[0] == 200
    status, problem = await market.call("PUT", path, mentor, version=3, json=OFFERING)
    assert (status, problem["code"]) == (409, "account_cannot_receive")
    await market.hear(AccountChanged(version=1, mentor_id=mentor.person_id, can_receive=True))
    assert (await market.call("PUT", path, mentor, version=3, json=OFFERING))[0] == 200


async def test_what_is_for_sale_is_public_with_its_policy(market: Marketplace):
    """A draft and a withdrawn offering are nobody's but the mentor's."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    _, draft = await market.call("POST", MINE, mentor, json=OFFERING)
    status, shown = await market.call("GET", f"/v1/offerings/{offering_id}")
    assert status == 200
    assert shown["policy"] == {
        "preset": "standard",
        "policy_version": 1,
        "steps": [
            {"hours_before": 24, "refund_basis_points": 10_000},
            {"hours_before": 2, "refund_basis_points": 5_000},
            {"hours_before": 0, "refund_basis_points": 0},
        ],
    }
    assert "minimum_notice_minutes" not in shown
    status, _ = await market.call("GET", f"/v1/offerings/{draft['offering_id']}")
    assert status == 404
    path = f"/v1/mentors/{mentor.person_id}/offerings"
    _, listed = await market.call("GET", path)
    assert [each["offering_id"] for each in listed["items"]] == [str(offering_id)]
    status, _ = await market.call("POST", f"{MINE}/{offering_id}/withdraw", mentor)
    assert status == 200
    assert (await market.call("GET", path))[1]["items"] == []
    (fact,) = await market.facts(OfferingWithdrawn)
    assert (fact.version, fact.published) == (2, False)


async def test_a_suspended_mentor_sells_nothing(market: Marketplace):
    """The list is empty and so are the slots."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    await market.suspend(mentor)
    _, listed = await market.call("GET", f"/v1/mentors/{mentor.person_id}/offerings")
    _, slots = await market.call("GET", slots_path(offering_id, NOW, NOW + timedelta(days=2)))
    assert (listed["items"], slots["items"]) == ([], [])


async def test_a_change_needs_the_version_that_was_seen(market: Marketplace):
    """Without If-Match 428, with an old one 412; what is for sale is told anew."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    path, cheaper = f"{MINE}/{offering_id}", OFFERING | {"price_minor": 9_000}
    status, problem = await market.call("PUT", path, mentor, json=cheaper)
    assert (status, problem["code"]) == (428, "version_missing")
    status, problem = await market.call("PUT", path, mentor, version=1, json=cheaper)
    assert (status, problem["code"]) == (412, "version_outdated")
    status, changed = await market.call("PUT", path, mentor, version=2, json=cheaper)
    assert (status, changed["version"], changed["price_minor"]) == (200, 3, 9_000)
    assert [fact.price_minor for fact in await market.facts(OfferingPublished)] == [12_000, 9_000]
    async with market.client.get(path, headers={"Authorization": f"Bearer {mentor.token}"}) as got:
        assert got.headers["ETag"] == '"3"'


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"price_minor": 1}, 409, "price_too_small"),
        ({"price_minor": 49}, 409, "price_too_small"),
        ({"price_minor": 17_499, "currency": "HUF"}, 409, "price_too_small"),
        ({"price_minor": 99, "currency": "ZMW"}, 409, "price_too_small"),
        ({"price_minor": 100_000_000}, 409, "price_too_large"),
        ({"price_minor": 1_001, "currency": "KWD"}, 409, "price_not_chargeable"),
        ({"price_minor": 50_050, "currency": "ISK"}, 409, "price_not_chargeable"),
        ({"price_minor": -1}, 422, "shape_invalid"),
        ({"price_minor": "12000"}, 422, "shape_invalid"),
        ({"price_minor": 10**12}, 422, "shape_invalid"),
        ({"price_minor": 120.5}, 422, "shape_invalid"),
        ({"currency": "XXX"}, 422, "shape_invalid"),
        ({"currency": "usd"}, 422, "shape_invalid"),
        ({"minutes": 0}, 422, "shape_invalid"),
        ({"minutes": 481}, 422, "shape_invalid"),
        ({"horizon_days": 0}, 422, "shape_invalid"),
        ({"buffer_before_minutes": 241}, 422, "shape_invalid"),
        ({"minimum_notice_minutes": 10**9}, 422, "shape_invalid"),
        ({"title": "   "}, 422, "shape_invalid"),
        ({"title": "x" * 121}, 422, "shape_invalid"),
        ({"title": "a\x00b"}, 422, "text_unusable"),
        ({"cancellation_preset": "generous"}, 422, "shape_invalid"),
        ({"mentor_id": "mine"}, 422, "shape_invalid"),
    ],
)
async def test_a_wrong_offering_is_refused_and_nothing_is_kept(
    market: Marketplace, change: dict[str, Any], status: int, code: str
):
    """Each with its stable code."""
    mentor = await market.mentor()
    answer = await market.call("POST", MINE, mentor, json=OFFERING | change)
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert await market.pool.fetchval("SELECT count(*) FROM offerings") == 0


async def test_the_smallest_price_can_be_asked(market: Marketplace):
    """What Stripe publishes, and in a three-decimal currency what ends in 0."""
    for change in (
        {"price_minor": 50},
        {"price_minor": 30, "currency": "GBP"},
        {"price_minor": 1_000, "currency": "KWD"},
        {"price_minor": 999_999_999, "currency": "IDR"},
    ):
        mentor = await market.mentor()
        status, answer = await market.call("POST", MINE, mentor, json=OFFERING | change)
        assert (status, answer["price_minor"]) == (201, change["price_minor"])


async def test_a_mentor_prices_in_one_currency(market: Marketplace):
    """The first that is for sale decides for good; a lone draft may still change its mind."""
    mentor = await market.mentor()
    euros, francs = (OFFERING | {"currency": each} for each in ("EUR", "CHF"))
    _, draft = await market.call("POST", MINE, mentor, json=euros)
    path = f"{MINE}/{draft['offering_id']}"
    status, problem = await market.call("POST", MINE, mentor, json=francs)
    assert (status, problem["code"], problem["facts"]["currency"]) == (
        409,
        "currency_differs",
        "EUR",
    )
    assert (await market.call("PUT", path, mentor, version=1, json=francs))[0] == 200
    assert (await market.call("POST", f"{path}/publish", mentor))[0] == 200
    status, problem = await market.call("PUT", path, mentor, version=3, json=euros)
    assert (status, problem["code"], problem["facts"]["currency"]) == (
        409,
        "currency_differs",
        "CHF",
    )
    assert (await market.call("POST", MINE, mentor, json=euros))[1]["code"] == "currency_differs"
    assert (await market.call("POST", MINE, mentor, json=francs))[0] == 201


async def test_two_first_drafts_at_once_agree(market: Marketplace):
    """Of many drafts in two currencies those of one are taken, whichever came first."""
    mentor = await market.mentor()
    drafts = [OFFERING | {"currency": each} for each in ("EUR", "CHF") * 8]
    answers = await asyncio.gather(
        *(market.call("POST", MINE, mentor, json=draft) for draft in drafts)
    )
    assert sorted(status for status, _ in answers) == [201] * 8 + [409] * 8
    rows = await market.pool.fetch("SELECT DISTINCT currency FROM offerings")
    assert len(rows) == 1


async def test_offerings_come_in_pages(market: Marketplace):
    """Each exactly once, in order."""
    mentor = await market.mentor()
    made = [str(await market.offer(mentor)) for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        path = f"{MINE}?limit=2" + (f"&cursor={cursor}" if cursor else "")
        _, page = await market.call("GET", path, mentor)
        seen += [each["offering_id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made


@pytest.mark.parametrize("cursor", ["x", "WyJhIl0=", "WyIxIiwiMiJd"])
async def test_a_cursor_that_no_page_gave_is_refused(market: Marketplace, cursor: str):
    """Nothing is guessed from it."""
    status, problem = await market.call("GET", f"{MINE}?cursor={cursor}", await market.mentor())
    assert (status, problem["code"]) == (422, "cursor_invalid")
