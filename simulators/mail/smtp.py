"""The way in: an SMTP server that accepts any sender and any recipient."""

from __future__ import annotations

import asyncio

from aiosmtpd.smtp import SMTP, Envelope, Session

from simulators.mail.faults import Faults
from simulators.mail.store import Store

_LARGEST_BYTES = 10 * 1024 * 1024
_SLOW_SECONDS = 3.0
_ACCEPTED = "250 Message accepted"
_REFUSED = "550 5.7.1 Message refused on request"
_PUT_OFF = "451 4.7.1 Greylisted on request, come again"


class _Handler:
    """Stores what arrives, unless a fault was ordered."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        fault = self._faults.take()
        if fault == "refuse":
            return _REFUSED
        if fault == "greylist":
            return _PUT_OFF
        if fault == "slow":
            await asyncio.sleep(_SLOW_SECONDS)
        self._store.add(envelope.mail_from or "", list(envelope.rcpt_tos), _content(envelope))
        return _ACCEPTED


def _content(envelope: Envelope) -> bytes:
    content = envelope.content
    return content if isinstance(content, bytes) else str(content or "").encode()


async def listen(store: Store, faults: Faults, host: str, port: int) -> asyncio.Server:
    """Serve SMTP until the returned server is closed."""
    handler = _Handler(store, faults)

    def protocol() -> SMTP:
        return SMTP(
            handler, data_size_limit=_LARGEST_BYTES, enable_SMTPUTF8=True, ident="Mentorium mailbox"
        )

    return await asyncio.get_running_loop().create_server(protocol, host, port)
