"""What each process of a marketplace is told through its environment, and nothing more.

Names found in the launcher's own environment win: that is how a process is pointed at a database,
a broker, a mail server or a Stripe account that is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dev.home import Home
from dev.ports import LOOPBACK
from dev.postgres import DATABASE, SERVICES, postgres_url
from shared.seal import public_half

OPERATOR_EMAIL = "operator@mentorium.test"
_OURS = ("PROFILES_", "BOOKING_", "PAYMENTS_", "NOTIFICATIONS_", "WEB_", "OPS_", "SEAL_")


@dataclass(frozen=True)
class Site:
    """The addresses and secrets of one marketplace; `given` is the launcher's own environment."""

    home: Home
    ports: Mapping[str, int]
    vendor_folder: str
    given: Mapping[str, str]

    @property
    def embeds_postgres(self) -> bool:
        """Whether our own PostgreSQL is started; raises `HalfConfigured` on a mixture."""
        return not _all_or_none(self.given, [f"{name.upper()}_DATABASE_URL" for name in SERVICES])

    @property
    def embeds_kafka(self) -> bool:
        """Whether our own Kafka is started."""
        return "KAFKA_BOOTSTRAP_SERVERS" not in self.given

    @property
    def simulates_stripe(self) -> bool:
        """Whether the simulator stands in for Stripe: as long as nobody gave a key of theirs."""
        return "PAYMENTS_STRIPE_KEY" not in self.given

    @property
    def catches_mail(self) -> bool:
        """Whether our own mailbox takes the mail."""
        return "NOTIFICATIONS_SMTP_HOST" not in self.given

    def url(self, process: str) -> str:
        """Return the HTTP address of a process."""
        return f"http://{LOOPBACK}:{self.ports[process]}"

    @property
    def kafka_bootstrap(self) -> str:
        """The address at which clients find the brokers."""
        given = self.given.get("KAFKA_BOOTSTRAP_SERVERS")
        return given or f"{LOOPBACK}:{self.ports['kafka']}"

    def database_url(self, role: str) -> str:
        """Return the address of our own database for one role."""
        address = f"{LOOPBACK}:{self.ports['postgres']}"
        return postgres_url(role, self.home.passwords[role], address, DATABASE)

    def environment(self, owner: str) -> dict[str, str]:
        """Return the whole environment of a process of `owner`.

        Owners are the services, `web`, `ops`, `stripe` and `mail`. A process sees the settings of
        its owner alone.
        """
        inherited = {
            name: value for name, value in self.given.items() if not name.startswith(_OURS)
        }
        own_prefixes = (f"{owner.upper()}_", "SEAL_" if owner == "profiles" else "\0")
        given = {n: value for n, value in self.given.items() if n.startswith(own_prefixes)}
        return inherited | self._common() | self._of(owner) | given

    def _common(self) -> dict[str, str]:
        return {
            "MENTORIUM_ENV": "development",
            "MENTORIUM_CLOCK_FILE": str(self.home.clock),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap,
            "LOG_FORMAT": self.given.get("LOG_FORMAT", "console"),
            "PYTHONUNBUFFERED": "1",
            # The web client and journeys say for whom they ask, so that limits see people.
            "TRUSTED_PROXIES": f"{LOOPBACK}/32",
        }

    def _of(self, owner: str) -> dict[str, str]:
        own = {
            "profiles": self._profiles,
            "booking": self._booking,
            "payments": self._payments,
            "notifications": self._notifications,
            "web": self._web,
            "ops": self._ops,
        }.get(owner)
        return (own(owner) if own else {}) | self._databases(owner)

    def _databases(self, owner: str) -> dict[str, str]:
        if owner not in SERVICES or not self.embeds_postgres:
            return {}
        return {
            f"{owner.upper()}_DATABASE_URL": self.database_url(f"{owner}_app"),
            f"{owner.upper()}_MIGRATE_DATABASE_URL": self.database_url(f"{owner}_owner"),
        }

    def _keys_address(self, _owner: str) -> dict[str, str]:
        return {"PROFILES_JWKS_URL": f"{self.url('profiles-api')}/.well-known/jwks.json"}

    def _profiles(self, _owner: str) -> dict[str, str]:
        seal = self.home.secrets["notifications_seal_private_key"]
        return {
            "PROFILES_KEY_SECRET": self.home.secrets["profiles_key_secret"],
            "PROFILES_OPERATOR_EMAILS": OPERATOR_EMAIL,
            "PROFILES_WEB_URL": self.url("web"),
            "SEAL_PUBLIC_KEY": public_half(seal),
        }

    def _booking(self, owner: str) -> dict[str, str]:
        return {"BOOKING_WEB_URL": self.url("web")} | self._keys_address(owner)

    def _payments(self, owner: str) -> dict[str, str]:
        simulated = {
            "PAYMENTS_STRIPE_KEY": self.home.secrets["stripe_key"],
            "PAYMENTS_STRIPE_BASE_URL": self.url("stripe"),
            "PAYMENTS_STRIPE_WEBHOOK_SECRETS": self.home.secrets["stripe_webhook_secret"],
            "PAYMENTS_STRIPE_CONNECT_WEBHOOK_SECRETS": self.home.secrets[
                "stripe_connect_webhook_secret"
            ],
        }
        own = {"PAYMENTS_WEB_URL": self.url("web")} | self._keys_address(owner)
        return own | (simulated if self.simulates_stripe else {})

    def _notifications(self, owner: str) -> dict[str, str]:
        mailbox = {
            "NOTIFICATIONS_SMTP_HOST": LOOPBACK,
            "NOTIFICATIONS_SMTP_PORT": str(self.ports["mail-smtp"]),
        }
        seal = self.home.secrets["notifications_seal_private_key"]
        own = {
            "NOTIFICATIONS_SEAL_PRIVATE_KEY": seal,
            "NOTIFICATIONS_WEB_URL": self.url("web"),
        } | self._keys_address(owner)
        return own | (mailbox if self.catches_mail else {})

    def _web(self, _owner: str) -> dict[str, str]:
        addresses = {f"WEB_{name.upper()}_URL": self.url(f"{name}-api") for name in SERVICES}
        return addresses | {
            "WEB_COOKIE_SECRET": self.home.secrets["web_cookie_secret"],
            "WEB_VENDOR_DIR": self.vendor_folder,
            "WEB_PUBLIC_URL": self.url("web"),
            # The browser is on this machine, and the connection to it is not encrypted.
            "ALLOW_PLAIN_COOKIES": "true",
        }

    def _ops(self, _owner: str) -> dict[str, str]:
        databases = {
            f"OPS_{service.upper()}_DATABASE_URL": self.database_url(f"{service}_app")
            for service in SERVICES
        } | {"OPS_DATABASE_URL": self.database_url("ops_reader")}
        stripe = {
            "OPS_STRIPE_BASE_URL": self.url("stripe"),
            "OPS_STRIPE_KEY": self.home.secrets["stripe_key"],
        }
        return (databases if self.embeds_postgres else {}) | (
            stripe if self.simulates_stripe else {}
        )


class HalfConfigured(ValueError):
    """Only some of the variables that belong together are set; says which are missing."""


def _all_or_none(given: Mapping[str, str], names: list[str]) -> bool:
    missing = [name for name in names if name not in given]
    if missing and len(missing) < len(names):
        raise HalfConfigured(f"also set {', '.join(missing)}, or none of {', '.join(names)}")
    return not missing
