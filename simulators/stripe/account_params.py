"""What can be said about a connected account (https://docs.stripe.com/api/accounts/create)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulators.stripe.params import Currency, ListParams, Metadata, Params, Shape, Text

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Requested(Shape):
    """Whether a capability is asked for."""

    requested: bool


class Capabilities(Shape):
    """The capabilities this platform can ask for."""

    card_payments: Requested | None = None
    transfers: Requested | None = None


class BusinessProfile(Shape):
    """What the business is."""

    mcc: str | None = None
    name: Text | None = None
    product_description: Text | None = None
    support_email: str | None = None
    support_phone: str | None = None
    support_url: str | None = None
    url: str | None = None


class Fees(Shape):
    """Who pays Stripe's fees."""

    payer: Literal["account", "application"] | None = None


class Losses(Shape):
    """Who carries negative balances."""

    payments: Literal["application", "stripe"] | None = None


class Dashboard(Shape):
    """Which dashboard the account holder sees."""

    type: Literal["express", "full", "none"] | None = None


class Controller(Shape):
    """The successor of `type`: express means dashboard express, fees and losses ours."""

    fees: Fees | None = None
    losses: Losses | None = None
    requirement_collection: Literal["application", "stripe"] | None = None
    stripe_dashboard: Dashboard | None = None


class Schedule(Shape):
    """When payouts are made."""

    delay_days: Annotated[int, Field(ge=0, le=31)] | Literal["minimum"] | None = None
    interval: Literal["manual", "daily", "weekly", "monthly"] | None = None
    weekly_anchor: Weekday | None = None
    monthly_anchor: Annotated[int, Field(ge=1, le=31)] | None = None


class Payouts(Shape):
    """The payout settings."""

    schedule: Schedule | None = None
    statement_descriptor: str | None = None
    debit_negative_balances: bool | None = None


class Settings(Shape):
    """The settings that can be given."""

    payouts: Payouts | None = None


class UpdateAccount(Params):
    """What can be changed on an account."""

    email: str | None = None
    business_type: Literal["company", "individual", "non_profit"] | None = None
    business_profile: BusinessProfile | None = None
    capabilities: Capabilities | None = None
    default_currency: Currency | None = None
    metadata: Metadata | None = None
    settings: Settings | None = None


class CreateAccount(UpdateAccount):
    """A new connected account; Express, by `type` or by `controller`."""

    type: Literal["express", "custom", "standard"] | None = None
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "US"
    controller: Controller | None = None


class ListAccounts(ListParams):
    """Accounts have no filter but time."""


class CreateLink(Params):
    """A way into the hosted onboarding."""

    account: str
    type: Literal["account_onboarding", "account_update"]
    refresh_url: str
    return_url: str
    collect: Literal["currently_due", "eventually_due"] | None = None
