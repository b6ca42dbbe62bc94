"""Settings every process shares; each service adds its own in its `config.py`.

Everything comes from the environment. A secret has no default: a process without it says which
variable is missing and does not start.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


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
    trusted_proxies: CommaSeparated = ()
    allow_plain_cookies: bool = False


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
