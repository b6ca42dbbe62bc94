"""`python -m deploy.dev_secrets | kubectl apply -f -`: the secrets of the development overlay.

The same fresh values as `deploy.dev_env`, as Kubernetes' Secrets, one per service and holder.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from deploy.dev_env import SERVICES, settings

NAMESPACE = "mentorium"
OF_SERVICES = {
    "profiles": ("PROFILES_KEY_SECRET", "SEAL_PUBLIC_KEY"),
    "booking": (),
    "payments": (
        "PAYMENTS_STRIPE_KEY", "PAYMENTS_STRIPE_WEBHOOK_SECRETS",
        "PAYMENTS_STRIPE_CONNECT_WEBHOOK_SECRETS",
    ),
    "notifications": ("NOTIFICATIONS_SEAL_PRIVATE_KEY",),
    "web": ("WEB_COOKIE_SECRET",),
}  # fmt: skip


def secrets() -> dict[str, dict[str, str]]:
    """Return the variables of every Secret by its name."""
    given = settings()
    passwords = {name: value for name, value in given.items() if name.endswith("_PASSWORD")}
    found = {name: {each: given[each] for each in keys} for name, keys in OF_SERVICES.items()}
    for service in SERVICES:
        known = service.upper()
        found[service][f"{known}_DATABASE_URL"] = _url(f"{service}_app", given)
        migrating = {f"{known}_MIGRATE_DATABASE_URL": _url(f"{service}_owner", given)}
        found[f"{service}-migrate"] = migrating
    return found | {"postgres": passwords}


def main() -> None:
    """Print the Secrets as one JSON document."""
    items = [_secret(name, values) for name, values in secrets().items()]
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout, indent=2)


def _secret(name: str, values: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def _url(role: str, given: dict[str, str]) -> str:
    return f"postgresql://{role}:{given[f'{role.upper()}_PASSWORD']}@postgres:5432/mentorium"


if __name__ == "__main__":
    main()
