"""Connected accounts: onboarding, capabilities, requirements (https://docs.stripe.com/connect/express-accounts).

An Express account can do nothing until its holder has been through the hosted onboarding; then its
capabilities become active and its payouts enabled. A restriction takes that away again.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulators.stripe import books
from simulators.stripe.account_params import (
    CreateAccount,
    CreateLink,
    ListAccounts,
    UpdateAccount,
)
from simulators.stripe.act import PLATFORM, Act
from simulators.stripe.errors import Json, invalid, missing, no_access
from simulators.stripe.ids import new_id
from simulators.stripe.lists import listing, page
from simulators.stripe.params import Params, merged_metadata
from simulators.stripe.payouts import plan_payout
from simulators.stripe.routes import Route

LINK_SECONDS = 300
"""An account link works once and for five minutes (https://docs.stripe.com/api/account_links)."""
PAYOUT_DELAY_DAYS = 2
OWN_PAYOUTS = "own_payouts"
"""How often the platform's own account says it is paid out, where a control has set it."""
GOOD_BANK_ACCOUNT = "000123456789"
CURRENCY_OF_COUNTRY = {"US": "usd", "GB": "gbp", "JP": "jpy", "KW": "kwd", "HU": "huf"}
DUE_AT_FIRST = (
    "business_profile.product_description",
    "business_type",
    "external_account",
    "representative.dob.day",
    "representative.first_name",
    "representative.last_name",
    "tos_acceptance.date",
)
DUE_AFTER_RESTRICTION = ("individual.verification.document",)


def create_account(act: Act, params: CreateAccount, _ids: Mapping[str, str]) -> Json:
    """Make a connected account that waits for its holder."""
    account = act.add("account", _account(act, params))
    there = act.acting_for(account["id"])
    there.announce("account.updated", account)
    return account


def _account(act: Act, params: CreateAccount) -> Json:
    identifier = new_id("acct")
    return {
        "id": identifier,
        "object": "account",
        "business_profile": _business_profile(params),
        "business_type": params.business_type,
        "capabilities": dict.fromkeys(_asked(params), "inactive"),
        "charges_enabled": False,
        "controller": _controller(params),
        "country": params.country,
        "created": act.moment,
        "default_currency": params.default_currency or _currency(params.country),
        "details_submitted": False,
        "email": params.email,
        "external_accounts": listing([], f"/v1/accounts/{identifier}/external_accounts"),
        "future_requirements": _requirements([]),
        "metadata": merged_metadata({}, params.metadata),
        "payouts_enabled": False,
        "requirements": _requirements(list(DUE_AT_FIRST), "requirements.past_due"),
        "settings": _settings(params),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": _type(params),
    }


def _currency(country: str) -> str:
    return CURRENCY_OF_COUNTRY.get(country, "eur")


def _type(params: CreateAccount) -> str:
    if params.type:
        return params.type
    dashboard = params.controller and params.controller.stripe_dashboard
    return "express" if dashboard and dashboard.type == "express" else "none"


def _controller(params: CreateAccount) -> Json:
    given = params.controller.model_dump(exclude_none=True) if params.controller else {}
    express: Json = {
        "fees": {"payer": "application_express"},
        "losses": {"payments": "application"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "express"},
    }
    return {**express, **given, "is_controller": True, "type": "application"}


def _business_profile(params: UpdateAccount) -> Json:
    names = ("annual_revenue", "estimated_worker_count", "mcc", "name", "product_description",
             "support_address", "support_email", "support_phone", "support_url", "url")  # fmt: skip
    given = params.business_profile.model_dump(exclude_none=True) if params.business_profile else {}
    return {**dict.fromkeys(names), **given}


def _asked(params: UpdateAccount) -> list[str]:
    if params.capabilities is None:
        return ["card_payments", "transfers"] if isinstance(params, CreateAccount) else []
    wanted = params.capabilities.model_dump(exclude_none=True)
    return [name for name, choice in wanted.items() if choice["requested"]]


def _requirements(due: list[str], reason: str | None = None) -> Json:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [],
    }


def _settings(params: UpdateAccount) -> Json:
    words = ("statement_descriptor", "statement_descriptor_kana", "statement_descriptor_kanji")
    look = ("icon", "logo", "primary_color", "secondary_color")
    prefix = "statement_descriptor_prefix"
    settings: Json = {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": dict.fromkeys(look),
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            **dict.fromkeys((prefix, f"{prefix}_kana", f"{prefix}_kanji")),
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": "never"},
        "payments": dict.fromkeys(words),
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": PAYOUT_DELAY_DAYS, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }
    return _with_payout_settings(settings, params)


def _with_payout_settings(settings: Json, params: UpdateAccount) -> Json:
    if params.settings is None or params.settings.payouts is None:
        return settings
    given = params.settings.payouts.model_dump(exclude_none=True)
    schedule = {**settings["payouts"]["schedule"], **given.pop("schedule", {})}
    if schedule["delay_days"] == "minimum":
        schedule["delay_days"] = PAYOUT_DELAY_DAYS
    return {**settings, "payouts": {**settings["payouts"], **given, "schedule": schedule}}


def retrieve_account(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a connected account; acting for it, it may see itself."""
    if ids["id"] == act.owner:
        return own_account(act, _params, ids)
    if is_closed(act, ids["id"]):
        raise no_access(ids["id"])
    return act.find("account", ids["id"])


def update_account(act: Act, params: UpdateAccount, ids: Mapping[str, str]) -> Json:
    """Change a connected account."""
    old = act.find("account", ids["id"])
    given = params.model_dump(include={"email", "business_type", "default_currency"},
                              exclude_none=True)  # fmt: skip
    profile = {**old["business_profile"]}
    if params.business_profile:
        profile |= params.business_profile.model_dump(exclude_none=True)
    new = {
        **old,
        **given,
        "business_profile": profile,
        "capabilities": {**dict.fromkeys(_asked(params), "inactive"), **old["capabilities"]},
        "metadata": merged_metadata(old["metadata"], params.metadata),
        "settings": _with_payout_settings(old["settings"], params),
    }
    new = _changed(act, old, _judged(new))
    plan_payout(act.acting_for(new["id"]))
    return new


def list_accounts(act: Act, params: ListAccounts, _ids: Mapping[str, str]) -> Json:
    """Return a page of connected accounts."""
    return page(act, "account", params, "/v1/accounts")


def _judged(account: Json) -> Json:
    """Return the account with capabilities and flags following from what has been submitted."""
    able = account["details_submitted"] and not account["requirements"]["past_due"]
    state = "active" if able else "inactive"
    return {
        **account,
        "capabilities": dict.fromkeys(account["capabilities"], state),
        "charges_enabled": able and "card_payments" in account["capabilities"],
        "payouts_enabled": able and bool(account["external_accounts"]["data"]),
    }


def _changed(act: Act, old: Json, new: Json) -> Json:
    act.save(new)
    there = act.acting_for(new["id"])
    there.changed("account.updated", old, new)
    for name, state in new["capabilities"].items():
        before = old["capabilities"].get(name)
        if state != before:
            there.announce("capability.updated", _capability(new, name), {"status": before})
    return new


def _capability(account: Json, name: str) -> Json:
    reason = "requirements.fields_needed" if account["requirements"]["past_due"] else None
    return {
        "id": name,
        "object": "capability",
        "account": account["id"],
        "future_requirements": account["future_requirements"],
        "requested": True,
        "requested_at": account["created"],
        "requirements": {**account["requirements"], "disabled_reason": reason},
        "status": account["capabilities"][name],
    }


def complete_onboarding(act: Act, identifier: str, number: str = GOOD_BANK_ACCOUNT) -> Json:
    """Give everything that was due; a new bank account replaces one that failed."""
    old = act.find("account", identifier)
    bank = _bank_account(old, number)
    act.store.hide(identifier, {"bank_account": number})
    banks = {**old["external_accounts"], "data": [bank]}
    new = {
        **old,
        "business_type": old["business_type"] or "individual",
        "details_submitted": True,
        "external_accounts": banks,
        "requirements": _requirements([]),
        "tos_acceptance": {"date": act.moment, "ip": None, "user_agent": None},
    }
    there = act.acting_for(identifier)
    there.announce("account.external_account.created", bank)
    new = _changed(act, old, _judged(new))
    plan_payout(there)
    return new


def _bank_account(account: Json, number: str) -> Json:
    return {
        "id": new_id("ba"),
        "object": "bank_account",
        "account": account["id"],
        "account_holder_name": None,
        "account_holder_type": None,
        "account_type": None,
        "available_payout_methods": ["standard"],
        "bank_name": "STRIPE TEST BANK",
        "country": account["country"],
        "currency": account["default_currency"],
        "default_for_currency": True,
        "fingerprint": new_id("fp")[3:19],
        "last4": number[-4:],
        "metadata": {},
        "routing_number": "110000000",
        "status": "new",
    }


def restrict(act: Act, identifier: str, due: list[str]) -> Json:
    """Stripe wants to know more: until it is given, no transfers to and no payouts from it."""
    old = act.find("account", identifier)
    requirements = _requirements(due, "requirements.past_due")
    return _changed(act, old, _judged({**old, "requirements": requirements}))


def restrict_by_fault(act: Act, identifier: str) -> None:
    """Restrict an account just before a request about it; one that is unknown stays so."""
    if act.filed("account", identifier):
        restrict(act, identifier, list(DUE_AFTER_RESTRICTION))


def close(act: Act, identifier: str) -> Json:
    """Close an account: nobody can reach it or send to it any more, and it announces nothing.

    Stripe does so when nothing is left on it (https://docs.stripe.com/api/accounts/delete).
    """
    account = act.find("account", identifier)
    there = act.acting_for(identifier)
    if any(any(books.balances(there, bucket).values()) for bucket in ("available", "pending")):
        raise invalid("This account cannot be deleted: its balance is not zero.")
    filed = act.filed("account", identifier)
    act.store.hide(identifier, {**(filed.hidden if filed else {}), "closed": True})
    return {"id": account["id"], "object": "account", "deleted": True}


def is_closed(act: Act, identifier: str) -> bool:
    """Return whether the account is there no more for anybody who asks."""
    filed = act.filed("account", identifier)
    return filed is not None and bool(filed.hidden.get("closed"))


def create_link(act: Act, params: CreateLink, _ids: Mapping[str, str]) -> Json:
    """Make a link into the hosted onboarding: for one visit, within five minutes."""
    if is_closed(act, params.account):
        raise missing("account", params.account, param="account")
    account = act.find("account", params.account, param="account")
    token = new_id("link")[5:]
    link = {
        "id": token,
        "created": act.moment,
        "account": account["id"],
        "expires_at": act.moment + LINK_SECONDS,
        "refresh_url": params.refresh_url,
        "return_url": params.return_url,
        "used": False,
    }
    act.add("account_link", link)
    return {
        "object": "account_link",
        "created": act.moment,
        "expires_at": link["expires_at"],
        "url": f"{act.base_url}/setup/e/{account['id']}/{token}",
    }


def link_of(act: Act, token: str) -> Json:
    """Return what an onboarding link stands for."""
    filed = act.store.find(token)
    if filed is None or "return_url" not in filed.body:
        raise missing("account_link", token)
    return filed.body


def create_login_link(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Make a link into the Express dashboard."""
    account = act.find("account", ids["id"])
    if not account["details_submitted"]:
        raise invalid("Cannot create a login link for an account that has not completed onboarding")
    url = f"{act.base_url}/express/{account['id']}/{new_id('link')[5:]}"
    return {"object": "login_link", "created": act.moment, "url": url}


def own_account(act: Act, _params: Params, _ids: Mapping[str, str]) -> Json:
    """Return the account the request acts for: the connected one, or the platform's own."""
    if act.owner != PLATFORM:
        return act.acting_for(PLATFORM).find("account", act.owner)
    own = _account(act, CreateAccount(type="standard", email="platform@example.com"))
    own |= {"id": "acct_platform00000000", "requirements": _requirements([])}
    own |= {"charges_enabled": True, "payouts_enabled": True, "details_submitted": True}
    schedule = own["settings"]["payouts"]["schedule"]
    schedule |= {"interval": "manual", **act.store.setting(OWN_PAYOUTS)}
    return own


ROUTES = (
    Route("GET", "/v1/account", Params, own_account),
    Route("POST", "/v1/accounts", CreateAccount, create_account),
    Route("GET", "/v1/accounts", ListAccounts, list_accounts),
    Route("GET", "/v1/accounts/{id}", Params, retrieve_account),
    Route("POST", "/v1/accounts/{id}", UpdateAccount, update_account),
    Route("POST", "/v1/accounts/{id}/login_links", Params, create_login_link),
    Route("POST", "/v1/account_links", CreateLink, create_link),
)
