"""Settings every process shares; each service adds its own in its `config.py`.

Everything comes from the environment. A secret has no default: a process without it says which
variable is missing and does not start.
"""

from __future__ import annotations

import sys
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.money import CURRENCIES


def _split(value: object) -> object:
    """Part a variable's words at commas; anything but text is left as it is."""
    if not isinstance(value, str):
        return value
    return tuple(word.strip() for word in value.split(",") if word.strip())


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several words in one variable, parted by commas."""
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_split)]
"""Networks in CIDR form, parted by commas."""


def _chargeable(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the codes; raises `ValueError` for one that cards cannot be charged in."""
    unknown = sorted(set(codes) - CURRENCIES)
    if unknown:
        raise ValueError(f"no currency that cards can be charged in: {', '.join(unknown)}")
    return codes


Currencies = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_split),
    Field(min_length=1),
    AfterValidator(_chargeable),
]
"""Currencies that cards can be charged in, parted by commas."""


class CommonSettings(BaseSettings):
    """What does not differ between services; no prefix."""

    model_config = SettingsConfigDict(extra="ignore")

    mentorium_env: Literal["production", "development"] = "production"
    mentorium_clock_file: Path | None = None
    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_topic_prefix: str = ""
    kafka_replication: int = 1
    log_format: Literal["json", "console"] = "json"
    log_level: str = "INFO"
    trusted_proxies: Networks = ()
    allow_plain_cookies: bool = False
    otel_exporter_otlp_endpoint: str | None = None
    """Where a collector is, by OpenTelemetry's own name; without it no spans are made."""


class SettingsMissing(SystemExit):
    """The environment lacks settings; says which, and stops the process with status 2."""

    def __init__(self, problems: str) -> None:
        super().__init__(2)
        self.problems = problems

    def __str__(self) -> str:
        return self.problems


AnySettings = TypeVar("AnySettings", bound=BaseSettings)


def load(kind: type[AnySettings]) -> AnySettings:
    """Read settings from the environment; raises `SettingsMissing` naming every variable."""
    try:
        return kind()
    except ValidationError as error:
        lines = [
            f"  {_variable(kind, str(problem['loc'][0]))}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        ]
        text = "These settings are missing or wrong:\n" + "\n".join(lines)
        print(text, file=sys.stderr)  # noqa: T201  Logs are not set up without settings.
        raise SettingsMissing(text) from None


def _variable(kind: type[BaseSettings], field: str) -> str:
    """Return the environment variable of a field: its alias, else the prefix and its name."""
    prefix = str(kind.model_config.get("env_prefix", "")) if field in kind.model_fields else ""
    return f"{prefix}{field}".upper()
