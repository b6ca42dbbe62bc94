"""Settings of `payments`, read from the environment with the prefix PAYMENTS_."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.config import CommaSeparated, Currencies
from shared.money import CURRENCIES

LIVE_KEY_PREFIXES = ("sk_live_", "rk_live_")


class Settings(BaseSettings):
    """What only `payments` needs to know."""

    model_config = SettingsConfigDict(env_prefix="PAYMENTS_", extra="ignore", populate_by_name=True)

    database_url: str
    migrate_database_url: str | None = None
    stripe_key: Annotated[str, Field(min_length=1, repr=False)]
    stripe_base_url: str | None = None
    stripe_webhook_secrets: Annotated[CommaSeparated, Field(repr=False, min_length=1)]
    stripe_connect_webhook_secrets: Annotated[CommaSeparated, Field(repr=False, min_length=1)]
    web_url: str
    platform_share_basis_points: Annotated[int, Field(ge=0, le=10_000)] = 1_500
    release_delay_hours: Annotated[int, Field(ge=0)] = 48
    settlement_currencies: Currencies = tuple(sorted(CURRENCIES))
    """What our Stripe account holds balances in; what is sold in another is not charged."""
    jwks_url: Annotated[str, Field(validation_alias="PROFILES_JWKS_URL")]

    @property
    def is_live(self) -> bool:
        """Whether the key moves real money."""
        return self.stripe_key.startswith(LIVE_KEY_PREFIXES)

    @property
    def names_currencies(self) -> bool:
        """Whether somebody said which balances there are."""
        return "settlement_currencies" in self.model_fields_set
