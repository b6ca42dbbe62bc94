"""P16: personal data and secrets stay closed in payloads, logs and errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from shared.contracts.sealed import OneTimeMessage
from shared.log import describe_error, redact_secrets
from shared.seal import SealBroken, new_seal_key, public_half, seal, unseal

SECRET = OneTimeMessage(
    email="ada@example.com",
    name="Ada",
    locale="en",
    link="https://mentorium.test/verify?token=s3cret",
    expires_at=datetime(2026, 5, 4, tzinfo=UTC),
)


def test_only_the_reader_opens_what_was_sealed() -> None:
    """The writer holds the public half; it and everybody else see nothing."""
    key = new_seal_key()
    sealed = seal(SECRET, public_half(key))
    assert "ada" not in sealed
    assert "d" not in json.loads(public_half(key)), "the public half must not open anything"
    assert unseal(sealed, key, OneTimeMessage) == SECRET
    with pytest.raises(SealBroken):
        unseal(sealed, new_seal_key(), OneTimeMessage)


def test_an_altered_seal_does_not_open_and_shows_nothing() -> None:
    """One changed character is noticed, and the error does not quote the content."""
    key = new_seal_key()
    sealed = seal(SECRET, public_half(key))
    head, _, tail = sealed.rpartition(".")
    spoiled = f"{head}.{'A' if tail[0] != 'A' else 'B'}{tail[1:]}"
    with pytest.raises(SealBroken) as caught:
        unseal(spoiled, key, OneTimeMessage)
    assert "ada" not in str(caught.value)


def test_logs_leave_secret_fields_out_at_any_depth() -> None:
    """Names of fields decide, so that nobody has to remember."""
    line = redact_secrets(
        None, "info", {"event": "x", "email": "ada@example.com", "inner": {"Token": "s3cret"}}
    )
    assert "ada" not in str(line)
    assert "s3cret" not in str(line)


def test_a_logged_error_says_where_and_never_what_it_held() -> None:
    """An error's text may quote a row; its kind and way do not."""
    try:
        raise ValueError("ada@example.com is taken")
    except ValueError:
        line = describe_error(None, "error", {"event": "failed", "exc_info": True})
    assert "ada@example.com" not in str(line)
    assert "ValueError" in str(line["way"])
    assert "test_a_logged_error" in str(line["way"])
