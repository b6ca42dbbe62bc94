"""Settings of this service, from the environment; read by `app` alone."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.profiles.domain.keys import Rotation
from shared.auth import ACCESS_SECONDS, KEYS_FRESH_SECONDS, LEEWAY_SECONDS
from shared.config import CommaSeparated

SECRET_BYTES = 32
AHEAD_AT_LEAST = timedelta(seconds=2 * KEYS_FRESH_SECONDS)
"""Everybody must have seen a key before the first token is signed with it."""
KEPT_AT_LEAST = timedelta(seconds=ACCESS_SECONDS + LEEWAY_SECONDS)
"""The last token of a key must have ended before the key is forgotten."""


class Settings(BaseSettings):
    """What `profiles` needs to know."""

    model_config = SettingsConfigDict(env_prefix="PROFILES_", extra="ignore")

    database_url: str
    migrate_database_url: str | None = None
    key_secret: SecretStr = Field(description="32 bytes in base64; seals the signing keys.")
    operator_emails: CommaSeparated = ()
    web_url: str = Field(description="Where the web client is, for links in mails.")
    seal_public_key: str = Field(validation_alias=AliasChoices("SEAL_PUBLIC_KEY"))
    key_every: timedelta = timedelta(days=30)
    key_ahead: Annotated[timedelta, Field(ge=AHEAD_AT_LEAST)] = timedelta(days=1)
    key_kept: Annotated[timedelta, Field(ge=KEPT_AT_LEAST)] = timedelta(hours=1)

    @field_validator("operator_emails")
    @classmethod
    def _in_small_letters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(email.lower() for email in value)

    @field_validator("key_secret")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            raw = base64.b64decode(value.get_secret_value(), validate=True)
        except binascii.Error:
            raise ValueError("is not base64") from None
        if len(raw) != SECRET_BYTES:
            raise ValueError("is not 32 bytes in base64")
        return value

    @property
    def secret(self) -> bytes:
        """Return the key secret as bytes."""
        return base64.b64decode(self.key_secret.get_secret_value())

    @property
    def rotation(self) -> Rotation:
        """Return how signing keys follow one another."""
        return Rotation(every=self.key_every, ahead=self.key_ahead, kept=self.key_kept)
