"""The table of processes: who is told what, and what others provide is not started."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.environment import HalfConfigured, Site
from dev.home import Home
from dev.postgres import SERVICES
from dev.table import PORT_NAMES, Kind, table

OUR_OWN = {"PATH": "/bin", "BOOKING_HOLD_SECONDS": "9", "OTHER": "kept"}


def site(home: Home, **given: str) -> Site:
    return Site(home, home.ports(PORT_NAMES), "/vendor", OUR_OWN | given)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_every_need_is_in_the_table_and_none_goes_round(home: Home):
    """Each process can be started after those it needs."""
    rows = {row.name: row for row in table(site(home))}
    started: set[str] = set()
    while len(started) < len(rows):
        able = {n for n, row in rows.items() if n not in started and started >= set(row.needs)}
        assert able, f"nobody can start of {set(rows) - started}"
        started |= able
    assert {f"{s}-{part}" for s in SERVICES for part in ("api", "worker", "migrate")} <= started
    assert {"postgres", "kafka", "stripe", "mail", "topics", "web"} <= started


def test_what_others_provide_is_not_started(home: Home):
    """Addresses in the launcher's environment replace the engines and the stand-ins."""
    databases = {f"{name.upper()}_DATABASE_URL": "postgresql://x/y" for name in SERVICES}
    others = {
        "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
        "PAYMENTS_STRIPE_KEY": "sk_test_theirs",
        "NOTIFICATIONS_SMTP_HOST": "mx",
    }
    given = site(home, **databases, **others)
    rows = {row.name: row for row in table(given)}
    assert not {"postgres", "kafka", "stripe", "mail"} & set(rows)
    assert rows["booking-worker"].needs == ("booking-migrate", "topics")
    assert rows["topics"].needs == ()
    payments = given.environment("payments")
    assert payments["KAFKA_BOOTSTRAP_SERVERS"] == "broker:9092"
    assert payments["PAYMENTS_DATABASE_URL"] == "postgresql://x/y"
    assert "PAYMENTS_STRIPE_BASE_URL" not in payments


def test_half_a_set_of_databases_is_refused(home: Home):
    """Setting one service's database and not the others' names those that are missing."""
    with pytest.raises(HalfConfigured, match="BOOKING_DATABASE_URL"):
        table(site(home, PROFILES_DATABASE_URL="postgresql://x/y"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_no_secret_of_another(home: Home, service: str):
    """Passwords and keys reach exactly the processes they belong to."""
    told = " ".join(site(home).environment(service).values())
    allowed = {
        "profiles": {"profiles_key_secret"},
        "payments": {"stripe_key", "stripe_webhook_secret", "stripe_connect_webhook_secret"},
        "notifications": {"notifications_seal_private_key"},
    }.get(service, set())
    allowed |= {f"{service}_owner_password", f"{service}_app_password"}
    seen = {name for name, value in home.secrets.items() if value in told}
    assert seen == allowed


def test_settings_of_ours_reach_their_service_alone(home: Home):
    """A setting typed before the command goes where its prefix says; the rest is inherited."""
    here = site(home)
    assert here.environment("booking")["BOOKING_HOLD_SECONDS"] == "9"
    assert "BOOKING_HOLD_SECONDS" not in here.environment("payments")
    assert here.environment("payments")["OTHER"] == "kept"


def test_a_home_keeps_its_secrets_and_ports(home: Home):
    """A second start finds what the first made; secrets are readable by their owner alone."""
    again = Home(home.root)
    again.create()
    assert again.secrets == home.secrets
    assert again.ports(PORT_NAMES) == home.ports(PORT_NAMES)
    assert (home.root / "secrets.json").stat().st_mode & 0o077 == 0


async def test_servers_are_given_their_ports(home: Home):
    """The address in the table is the port on the command line."""
    here = site(home)
    for row in table(here):
        if row.kind is Kind.SERVER and row.url and row.url.startswith("http://"):
            argv = (await row.prepare()).argv
            assert str(here.ports[row.name]) in argv
