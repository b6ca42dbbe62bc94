"""Connected accounts and their hosted onboarding, as https://docs.stripe.com/connect describes."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.simulators.stripe.conftest import World

LINK = {
    "type": "account_onboarding",
    "refresh_url": "http://shop.test/again",
    "return_url": "http://shop.test/back",
}


async def _account(world: World, **given: Any) -> Any:
    return await world.api.accounts.create_async(
        {"type": "express", "email": "grace@example.test", "metadata": {"person": "p9"}, **given}
    )


async def _link(world: World, account: Any) -> str:
    return str((await world.api.account_links.create_async({**LINK, "account": account.id})).url)


async def _go(world: World, url: str, fields: dict[str, str] | None = None) -> tuple[str, str]:
    method = "POST" if fields else "GET"
    async with world.http.request(method, url, data=fields, allow_redirects=False) as answer:
        return answer.headers.get("Location", ""), await answer.text()


async def test_onboarding_on_the_hosted_page_enables_the_account(world: World) -> None:
    """https://docs.stripe.com/connect/hosted-onboarding."""
    account = await _account(world, capabilities={"transfers": {"requested": True}})
    assert (account.type, account.payouts_enabled, account.details_submitted) == (
        "express",
        False,
        False,
    )
    assert account.capabilities.transfers == "inactive"
    assert "external_account" in account.requirements.currently_due
    url = await _link(world, account)
    _, text = await _go(world, url)
    assert '<label for="email"' in text
    location, _ = await _go(world, url, {"answer": "complete"})
    assert location == LINK["return_url"]
    account = await world.api.accounts.retrieve_async(account.id)
    assert (account.payouts_enabled, account.details_submitted) == (True, True)
    assert account.capabilities.transfers == "active"
    assert account.requirements.currently_due == []
    names = await world.heard_names("connect")
    assert names.count("account.updated") == 2
    assert "capability.updated" in names
    assert "account.updated" not in await world.heard_names()


async def test_leaving_the_onboarding_changes_nothing(world: World) -> None:
    """https://docs.stripe.com/connect/hosted-onboarding: check details_submitted on return."""
    account = await _account(world)
    location, _ = await _go(world, await _link(world, account), {"answer": "later"})
    assert location == LINK["return_url"]
    assert (await world.api.accounts.retrieve_async(account.id)).details_submitted is False


async def test_a_link_works_once_and_for_five_minutes(world: World) -> None:
    """https://docs.stripe.com/api/account_links: a used or old link leads to refresh_url."""
    account = await _account(world)
    used = await _link(world, account)
    assert (await _go(world, used))[0] == ""
    assert (await _go(world, used))[0] == LINK["refresh_url"]
    old = await _link(world, account)
    await world.advance(minutes=5)
    assert (await _go(world, old))[0] == LINK["refresh_url"]


async def test_the_controller_can_say_express_too(world: World) -> None:
    """https://docs.stripe.com/connect/migrate-to-controller-properties."""
    controller = {
        "stripe_dashboard": {"type": "express"},
        "fees": {"payer": "application"},
        "losses": {"payments": "application"},
    }
    account = await world.api.accounts.create_async({"controller": controller, "country": "GB"})
    assert (account.type, account.default_currency) == ("express", "gbp")


async def test_a_restriction_takes_receiving_away_and_gives_it_back(world: World) -> None:
    """https://docs.stripe.com/connect/handling-api-verification."""
    mentor = await world.mentor()
    await world.sim("POST", f"/accounts/{mentor.id}/restrict", {})
    restricted = await world.api.accounts.retrieve_async(mentor.id)
    assert restricted.payouts_enabled is False
    assert restricted.capabilities.transfers == "inactive"
    assert restricted.requirements.disabled_reason == "requirements.past_due"
    await world.sim("POST", f"/accounts/{mentor.id}/complete")
    assert (await world.api.accounts.retrieve_async(mentor.id)).payouts_enabled is True


async def test_the_express_dashboard_opens_after_onboarding(world: World) -> None:
    """https://docs.stripe.com/api/accounts/login_link."""
    account = await _account(world)
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.accounts.login_links.create_async(account.id)
    await world.sim("POST", f"/accounts/{account.id}/complete")
    link = await world.api.accounts.login_links.create_async(account.id)
    assert "Your money" in (await _go(world, link.url))[1]


async def test_an_account_sees_only_its_own_objects(world: World) -> None:
    """https://docs.stripe.com/connect/authentication."""
    charge, mentor = await world.paid(), await world.mentor()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.charges.retrieve_async(charge.id, {}, {"stripe_account": mentor.id})
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.PermissionError) as refused:
        await world.api.balance.retrieve_async({}, {"stripe_account": "acct_nobody"})
    assert refused.value.error
    assert refused.value.error.code == "account_invalid"


async def test_accounts_are_updated_and_listed(world: World) -> None:
    """https://docs.stripe.com/api/accounts/update."""
    first, second = await _account(world), await _account(world)
    changed = await world.api.accounts.update_async(
        first.id, {"metadata": {"person": "", "role": "mentor"}, "email": "new@example.test"}
    )
    assert changed.metadata.to_dict() == {"role": "mentor"}
    assert changed.email == "new@example.test"
    listed = await world.api.accounts.list_async()
    assert [each.id for each in listed.data] == [second.id, first.id]


async def test_the_platforms_own_payouts_are_manual_until_somebody_changes_it(world: World) -> None:
    """https://docs.stripe.com/api/accounts/object#account_object-settings-payouts-schedule."""

    async def interval() -> str:
        own = await world.api.accounts.retrieve_current_async()
        return str(own.settings.payouts.schedule.interval)

    assert await interval() == "manual"
    await world.sim("POST", "/account/payouts", {"interval": "daily"})
    assert await interval() == "daily"
    mentor = await world.api.accounts.retrieve_async((await world.mentor()).id)
    assert mentor.settings.payouts.schedule.interval == "daily"
