"""The rules of signing keys: each is published before it is used and kept until its tokens end."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from joserfc import jwe
from joserfc.jwk import ECKey, KeySet, OctKey

from shared.auth import ALGORITHM
from shared.clock import SystemInstant
from shared.ids import new_id

_SEALING = ["dir", "A256GCM"]
_PURPOSE = b"signing-keys"

Jwk = dict[str, str | list[str]]


@dataclass(frozen=True)
class Rotation:
    """A new key `every` so often, published `ahead` of its use, `kept` after its successor's."""

    every: timedelta
    ahead: timedelta
    kept: timedelta


@dataclass(frozen=True)
class SigningKey:
    """One key as it is stored; `active_from` is system time."""

    kid: str
    public_key: Jwk
    private_sealed: str
    active_from: datetime

    def open(self, secret: bytes) -> ECKey:
        """Return the private key; raises `JoseError` under another secret."""
        opened = jwe.decrypt_compact(self.private_sealed, _sealing_key(secret), algorithms=_SEALING)
        return ECKey.import_key(json.loads(opened.plaintext or b""))


def make_key(secret: bytes, active_from: datetime) -> SigningKey:
    """Return a fresh key whose private part only the holder of `secret` can read."""
    kid = str(new_id())
    key = ECKey.generate_key("P-256", {"kid": kid, "alg": ALGORITHM, "use": "sig"})
    private = json.dumps(key.as_dict(private=True)).encode()
    sealed = jwe.encrypt_compact(
        {"alg": "dir", "enc": "A256GCM"}, private, _sealing_key(secret), algorithms=_SEALING
    )
    public = key.as_dict(private=False)
    return SigningKey(kid, public, sealed, active_from)


def key_set(keys: Sequence[SigningKey]) -> KeySet:
    """Return the public halves: all that are in use, were lately, or will be soon."""
    return KeySet([*(ECKey.import_key(key.public_key) for key in keys)])


def signing(keys: Sequence[SigningKey], now: SystemInstant) -> SigningKey | None:
    """Return the key that signs now: the last that became active."""
    active = [key for key in keys if key.active_from <= now]
    return max(active, key=lambda key: key.active_from, default=None)


def next_key_from(
    keys: Sequence[SigningKey], rotation: Rotation, now: SystemInstant
) -> datetime | None:
    """Return from when a key to be made now is active; None when none is to be made yet."""
    if not keys:
        return now
    newest = max(key.active_from for key in keys)
    if newest > now or now < newest + rotation.every - rotation.ahead:
        return None
    return max(newest + rotation.every, now + rotation.ahead)


def outlived(keys: Sequence[SigningKey], rotation: Rotation, now: SystemInstant) -> list[str]:
    """Return the ids of keys that no living token was signed with."""
    in_order = sorted(keys, key=lambda key: key.active_from)
    followed = pairwise(in_order)
    return [key.kid for key, after in followed if after.active_from + rotation.kept <= now]


def _sealing_key(secret: bytes) -> OctKey:
    # One secret serves several purposes, so each gets a key of its own.
    return OctKey.import_key(hmac.digest(secret, _PURPOSE, hashlib.sha256))
