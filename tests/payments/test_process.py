"""The real process: it starts without Kafka, does its work, refuses what is unsafe, and drains."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from dev.ports import free_ports
from services.payments.app import (
    LiveKeyWithMovableClock,
    SettlementCurrenciesUnknown,
    describe,
)
from shared.clock import FileBusinessClock
from shared.config import SettingsMissing
from tests.engines import Database

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 40.0
STOP_SECONDS = 20.0
LISTENING = re.compile(rb"http://127\.0\.0\.1:\d+")


def settings(database_url: str = "postgresql://nowhere/", key: str = "sk_test_x") -> dict[str, str]:
    return {
        "PAYMENTS_DATABASE_URL": database_url,
        "PAYMENTS_STRIPE_KEY": key,
        "PAYMENTS_STRIPE_BASE_URL": f"http://127.0.0.1:{free_ports(1)[0]}",
        "PAYMENTS_STRIPE_WEBHOOK_SECRETS": "whsec_a, whsec_b",
        "PAYMENTS_STRIPE_CONNECT_WEBHOOK_SECRETS": "whsec_c",
        "PAYMENTS_WEB_URL": "https://web.test",
        "PROFILES_JWKS_URL": f"http://127.0.0.1:{free_ports(1)[0]}/.well-known/jwks.json",
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_ports(1)[0]}",
    }


def give(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_a_live_key_and_a_movable_clock_never_meet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With real money the clock is the system's: the process refuses to start otherwise."""
    give(monkeypatch, settings(key="sk_live_x"))
    monkeypatch.setenv("PAYMENTS_SETTLEMENT_CURRENCIES", "USD")
    monkeypatch.delenv("MENTORIUM_CLOCK_FILE", raising=False)
    assert describe().name == "payments"
    FileBusinessClock.create(tmp_path / "clock")
    monkeypatch.setenv("MENTORIUM_CLOCK_FILE", str(tmp_path / "clock"))
    with pytest.raises(LiveKeyWithMovableClock):
        describe()


def test_a_live_key_needs_to_be_told_our_balances(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With real money somebody says in which currencies; a word that is none is no answer."""
    give(monkeypatch, settings(key="sk_live_x"))
    monkeypatch.delenv("MENTORIUM_CLOCK_FILE", raising=False)
    monkeypatch.delenv("PAYMENTS_SETTLEMENT_CURRENCIES", raising=False)
    with pytest.raises(SettlementCurrenciesUnknown):
        describe()
    monkeypatch.setenv("PAYMENTS_SETTLEMENT_CURRENCIES", "USD, EUR")
    assert describe().name == "payments"
    for wrong in ("usd", "USD,XXX", ""):
        monkeypatch.setenv("PAYMENTS_SETTLEMENT_CURRENCIES", wrong)
        with pytest.raises(SettingsMissing, match="PAYMENTS_SETTLEMENT_CURRENCIES"):
            describe()
    assert "no currency" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["PAYMENTS_STRIPE_KEY", "PAYMENTS_STRIPE_WEBHOOK_SECRETS", "PROFILES_JWKS_URL"]
)
def test_a_missing_secret_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No secret has a default: the process says which one it lacks."""
    give(monkeypatch, settings())
    monkeypatch.delenv(name)
    with pytest.raises(SettingsMissing) as missing:
        describe()
    assert name in str(missing.value)


async def test_the_process_serves_without_kafka_and_stripe_and_drains(
    payments_database: Database,
) -> None:
    """API and worker start while broker and Stripe are away, and end with 0 when told to."""
    given = os.environ | settings(payments_database.app_url("payments"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.payments", "all", "--port", "0"),
        cwd=REPOSITORY,
        env=given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            url = await _address(process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{url}/readyz") as ready:
                    assert ready.status == 200
                async with session.get(f"{url}/openapi.json") as described:
                    assert "/webhooks/stripe" in (await described.json())["paths"]
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if b"listening" in line and (found := LISTENING.search(line)):
            return found.group().decode()
    raise AssertionError("the process ended before it listened")
