"""The roads to the engines of the tests: one that cannot be taken says what to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.engines import EngineFailed, run_kafka, run_postgres

Run = Callable[[str], AbstractAsyncContextManager[object]]


@pytest.mark.parametrize("run", [run_postgres, run_kafka])
async def test_no_docker_is_an_error_with_advice(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Neither a skipped test nor another engine: the error names the option and the way out."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(EngineFailed, match=r"--stack=containers needs .*`docker info`"):
        async with run("containers"):
            pass


@pytest.mark.parametrize(
    ("run", "variable"),
    [(run_postgres, "POSTGRES_SUPERUSER_URL"), (run_kafka, "KAFKA_BOOTSTRAP_SERVERS")],
)
async def test_an_address_that_is_missing_is_named(
    run: Run, variable: str, monkeypatch: pytest.MonkeyPatch
):
    """`--stack=external` takes nothing for granted."""
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(EngineFailed, match=variable):
        async with run("external"):
            pass
