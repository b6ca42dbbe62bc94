"""`python -m deploy.dev_env > .env`: settings for `docker compose --profile dev`, secrets fresh.

For development only: it points the services at the simulators and turns plain cookies on.
"""

from __future__ import annotations

import base64
import secrets
import sys

from shared.seal import new_seal_key, public_half

SERVICES = ("profiles", "booking", "payments", "notifications")
ROLES = (*(f"{name}_{kind}" for name in SERVICES for kind in ("owner", "app")), "ops_reader")
KEY_BYTES = 32
OPERATOR_EMAIL = "operator@mentorium.test"


def settings() -> dict[str, str]:
    """Return every variable that docker-compose.yml requires, and those of development."""
    seal = new_seal_key()
    passwords = {f"{role.upper()}_PASSWORD": secrets.token_urlsafe(18) for role in ROLES}
    return passwords | {
        "POSTGRES_PASSWORD": secrets.token_urlsafe(18),
        "PROFILES_KEY_SECRET": _key(),
        "PROFILES_OPERATOR_EMAILS": OPERATOR_EMAIL,
        "SEAL_PUBLIC_KEY": public_half(seal),
        "NOTIFICATIONS_SEAL_PRIVATE_KEY": seal,
        "NOTIFICATIONS_SMTP_HOST": "mail",
        "NOTIFICATIONS_SMTP_PORT": "1025",
        "PAYMENTS_STRIPE_KEY": f"sk_test_{secrets.token_hex(24)}",
        "PAYMENTS_STRIPE_BASE_URL": "http://stripe:8000",
        "OPS_STRIPE_BASE_URL": "http://stripe:8000",
        "PAYMENTS_STRIPE_WEBHOOK_SECRETS": f"whsec_{secrets.token_hex(24)}",
        "PAYMENTS_STRIPE_CONNECT_WEBHOOK_SECRETS": f"whsec_{secrets.token_hex(24)}",
        "WEB_COOKIE_SECRET": _key(),
        "PUBLIC_URL": "http://127.0.0.1:8080",
        "ALLOW_PLAIN_COOKIES": "true",
        "MENTORIUM_ENV": "development",
        "MENTORIUM_CLOCK_FILE": "/clock/offset",
        "LOG_FORMAT": "console",
    }


def main() -> None:
    """Print the settings in the form of a .env file."""
    sys.stdout.write("# Development only; written by `python -m deploy.dev_env`.\n")
    for name, value in settings().items():
        # In single quotes nothing is replaced, and none of the values holds one.
        sys.stdout.write(f"{name}='{value}'\n")


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


if __name__ == "__main__":
    main()
