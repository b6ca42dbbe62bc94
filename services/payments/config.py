"""Settings of `payments`, read from the environment with the prefix PAYMENTS_."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.config import CommaSeparated

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
    jwks_url: Annotated[str, Field(validation_alias="PROFILES_JWKS_URL")]

    @property
    def is_live(self) -> bool:
        """Whether the key moves real money."""
        return self.stripe_key.startswith(LIVE_KEY_PREFIXES)
