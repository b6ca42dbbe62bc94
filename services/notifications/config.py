"""Settings of `notifications`, read from the environment with the prefix NOTIFICATIONS_."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a deployment decides; secrets have no default."""

    model_config = SettingsConfigDict(
        env_prefix="NOTIFICATIONS_", extra="ignore", populate_by_name=True
    )

    database_url: str
    migrate_database_url: str | None = None
    seal_private_key: SecretStr = Field(
        description="JWK JSON; its public half is what the writers of sealed payloads hold."
    )
    smtp_host: str
    smtp_port: int = 25
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = False
    sender: str = "Mentorium <hello@mentorium.test>"
    web_url: str
    jwks_url: str = Field(validation_alias="PROFILES_JWKS_URL")
