"""The simulator as a process: it starts, survives being killed at any moment, and stops cleanly."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import stripe

import simulators.stripe
from shared.clock import FileBusinessClock, move_clock_to
from tests.simulators.stripe.conftest import line_item, open_client

START_SECONDS = 20.0
END_SECONDS = 10.0


@asynccontextmanager
async def _running(
    folder: Path, *options: str, end: signal.Signals = signal.SIGTERM
) -> AsyncGenerator[str]:
    """Run the simulator on the state in `folder`, give its address, and end it by a signal."""
    clock = folder / "clock"
    FileBusinessClock.create(clock)
    command = ("-m", "simulators.stripe", "--port", "0", "--state", str(folder / "stripe"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        *options,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "MENTORIUM_CLOCK_FILE": str(clock)},
    )
    assert process.stdout
    try:
        async with asyncio.timeout(START_SECONDS):
            line = (await process.stdout.readline()).decode()
        yield line.split(" on ")[1].strip()
        process.send_signal(end)
        async with asyncio.timeout(END_SECONDS):
            code = await process.wait()
        assert code == (0 if end == signal.SIGTERM else -end)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _session() -> Any:
    return {"mode": "payment", "line_items": [line_item()], "success_url": "http://shop.test/"}


async def _get(url: str, path: str) -> Any:
    async with aiohttp.ClientSession(url) as http, http.get(path) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_it_answers_when_it_is_ready_and_stops_on_sigterm(tmp_path: Path) -> None:
    """The launcher asks for these."""
    async with _running(tmp_path) as url:
        assert await _get(url, "/livez") == {"status": "ok"}
        assert await _get(url, "/readyz") == {"status": "ok"}
        async with aiohttp.ClientSession(url) as http, http.get("/_sim") as page:
            assert "Stripe simulator" in await page.text()


async def test_everything_is_there_after_kill_9(tmp_path: Path) -> None:
    """State survives a restart: objects, books, keys, due things, undelivered events."""
    nobody = ("--platform-webhook", "http://127.0.0.1:9/", "--platform-secret", "whsec_1")
    options = stripe.RequestOptions(idempotency_key="k1")
    async with (
        _running(tmp_path, *nobody, end=signal.SIGKILL) as url,
        open_client(url) as client,
        aiohttp.ClientSession(url) as http,
    ):
        first = await client.v1.checkout.sessions.create_async(_session(), options)
        open_one = await client.v1.checkout.sessions.create_async(_session())
        async with http.post(f"/_sim/checkout/{first.id}/pay") as answer:
            assert answer.status == 200
        books = await _get(url, "/_sim/books")
        assert len(books["movements"]) == 1
    move_clock_to(tmp_path / "clock", datetime.now(UTC) + timedelta(hours=23))
    async with _running(tmp_path, *nobody) as url, open_client(url) as client:
        assert await _get(url, "/_sim/books") == books
        assert (await _get(url, "/_sim/rest"))["undelivered_webhooks"] == 4
        again = await client.v1.checkout.sessions.create_async(_session(), options)
        assert again.id == first.id
        move_clock_to(tmp_path / "clock", datetime.now(UTC) + timedelta(hours=25))
        late = await client.v1.checkout.sessions.retrieve_async(open_one.id)
        assert late.status == "expired"


async def test_kills_at_random_moments_leave_whole_effects(tmp_path: Path) -> None:
    """https://docs.stripe.com/api/idempotent_requests: effect and answer are kept as one."""
    for _ in range(2):
        async with (
            _running(tmp_path, end=signal.SIGKILL) as url,
            open_client(url) as client,
        ):
            made = [client.v1.customers.create_async({"name": str(n)}) for n in range(30)]
            tasks = [asyncio.create_task(each) for each in made]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    async with _running(tmp_path) as url:
        history = await _get(url, "/_sim/history")
        done = [each for each in history["requests"] if each["status"] == 200]
        kinds = history["objects"]
        assert 2 <= len(done) == len(kinds["customer"]) == len(kinds["event"])


async def test_faults_and_their_dice_go_on_after_kill_9(tmp_path: Path) -> None:
    """A run that is interrupted meets the same trouble as one that is not."""
    headers = {"Authorization": "Bearer sk_test_1"}
    fault = {"kind": "429", "count": None, "probability": 0.5, "seed": 7}
    met: list[bool] = []
    for requests in (5, 7):
        async with (
            _running(tmp_path, end=signal.SIGKILL) as url,
            aiohttp.ClientSession(url, headers=headers) as http,
        ):
            if not met:
                await http.post("/_sim/faults", json=fault)
            for _ in range(requests):
                async with http.get("/v1/customers") as answer:
                    met.append(answer.status == 429)
    dice = random.Random(7)
    assert met == [dice.random() < 0.5 for _ in range(12)]


async def test_the_first_payment_of_the_readme_works_as_written(tmp_path: Path) -> None:
    """Somebody who has nothing but the README can pay and refund."""
    readme = (Path(simulators.stripe.__file__).parent / "README.md").read_text()
    program = readme.split("```python\n")[1].split("```")[0]
    async with _running(tmp_path) as url:
        program = program.replace("http://127.0.0.1:8009", url)
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(START_SECONDS):
            said, _ = await running.communicate()
    assert said.decode().splitlines()[-1] == "succeeded 6622"
