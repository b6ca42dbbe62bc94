"""Settings of the web client, prefix WEB_."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import BaseSettings, SettingsConfigDict

COOKIE_KEY_BYTES = 32
VENDOR_FILES = ("htmx.js", "figtree.woff2", "figtree-ext.woff2", "fraunces.woff2")
"""The outside files that browsers load, as `dev/webfiles.lock` names them."""


def _key(text: object) -> object:
    try:
        key = base64.b64decode(str(text), validate=True)
    except binascii.Error:
        raise ValueError("give 32 random bytes in base64") from None
    if len(key) != COOKIE_KEY_BYTES:
        raise ValueError("give 32 random bytes in base64")
    return key


def _whole(folder: Path) -> Path:
    absent = [name for name in VENDOR_FILES if not (folder / name).is_file()]
    if absent:
        raise ValueError(f"the folder holds no {', '.join(absent)}")
    return folder


def _without_slash(url: str) -> str:
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_without_slash)]


class WebSettings(BaseSettings):
    """Where the services are, and what the cookie is encrypted with."""

    model_config = SettingsConfigDict(env_prefix="WEB_", extra="ignore")

    profiles_url: Url
    booking_url: Url
    payments_url: Url
    notifications_url: Url
    public_url: Url
    cookie_secret: Annotated[bytes, BeforeValidator(_key)]
    vendor_dir: Annotated[Path, AfterValidator(_whole)]
