"""Sealed payloads: personal data and secrets that one reader alone can open.

A JWE (RFC 7516) in compact form, ECDH-ES+A256KW with A256GCM, to the public key of the reader. The
writer holds the public half only, so that a topic, a log or a dead letter shows nothing.
"""

from __future__ import annotations

import json
from typing import TypeVar, cast

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import BaseModel, ValidationError

ALGORITHM = "ECDH-ES+A256KW"
ENCRYPTION = "A256GCM"

AnyModel = TypeVar("AnyModel", bound=BaseModel)


class SealBroken(ValueError):
    """A sealed payload was not made for this key, was altered, or holds something else."""


def new_seal_key() -> str:
    """Return a fresh private key (EC P-256) as JWK JSON."""
    return _json(ECKey.generate_key("P-256"), private=True)


def public_half(private_key: str) -> str:
    """Return the public half of a private JWK, as JWK JSON."""
    return _json(_key(private_key), private=False)


def seal(content: BaseModel, public_key: str) -> str:
    """Return `content` as a JWE that only the holder of the private key can open."""
    return jwe.encrypt_compact(
        {"alg": ALGORITHM, "enc": ENCRYPTION},
        content.model_dump_json().encode(),
        _key(public_key),
        algorithms=[ALGORITHM, ENCRYPTION],
    )


def unseal(sealed: str, private_key: str, kind: type[AnyModel]) -> AnyModel:
    """Return what was sealed; raises `SealBroken`, which never shows the content."""
    try:
        opened = jwe.decrypt_compact(sealed, _key(private_key), algorithms=[ALGORITHM, ENCRYPTION])
        return kind.model_validate_json(opened.plaintext or b"")
    except (JoseError, ValidationError, ValueError):
        raise SealBroken(f"cannot open a sealed {kind.__name__}") from None


def _key(text: str) -> ECKey:
    return ECKey.import_key(cast("dict[str, str | list[str]]", json.loads(text)))


def _json(key: ECKey, *, private: bool) -> str:
    return json.dumps(key.as_dict(private=private), sort_keys=True)
