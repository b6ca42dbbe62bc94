"""Where the operator's command line finds the marketplace; prefix OPS_."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.contracts.topics import Service


class OpsSettings(BaseSettings):
    """Addresses and keys; each command asks for those it needs.

    `database_url` is the reading role's (`ops_reader`); `<service>_database_url` the runtime role's
    of that service, needed by the commands that change something. `stripe_base_url` is where the
    simulator is; without it Stripe itself is asked.
    """

    model_config = SettingsConfigDict(env_prefix="OPS_", extra="ignore")

    database_url: str | None = None
    profiles_database_url: str | None = None
    booking_database_url: str | None = None
    payments_database_url: str | None = None
    notifications_database_url: str | None = None
    stripe_base_url: str | None = None
    stripe_key: str | None = None

    def reading_url(self) -> str:
        """Return the address of the reading role; raises `CannotOperate`."""
        return _required(self.database_url, "OPS_DATABASE_URL")

    def writing_url(self, service: Service) -> str:
        """Return the address of a service's runtime role; raises `CannotOperate`."""
        name = f"{service}_database_url"
        found: str | None = getattr(self, name)
        return _required(found, f"OPS_{name.upper()}")

    def stripe_secret(self) -> str:
        """Return the key with which Stripe's books are read; raises `CannotOperate`."""
        return _required(self.stripe_key, "OPS_STRIPE_KEY")


class CannotOperate(Exception):
    """A command cannot do its work; the text says what the operator can do about it."""


def _required(value: str | None, variable: str) -> str:
    if not value:
        raise CannotOperate(f"set {variable} for this command")
    return value
