"""The mail server: the only place that speaks SMTP.

A mail is handed over at most once per claim. When the process dies between the server's answer and
our record of it, the mail is sent once more with the same Message-ID, by which receivers recognise
the second copy (RFC 5322 §3.6.4); SMTP offers nothing stronger.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from services.notifications.domain.letters import Letter, Sender
from shared.errors import Unfinished

COMMAND_SECONDS = 10.0
HAND_OVER_SECONDS = 20.0
"""The whole conversation about one mail; well below the lease of a claim."""
PERMANENT = 500
"""SMTP answers from here on say that trying again is useless (RFC 5321 §4.2.1)."""


class MailRefused(Exception):
    """The server, or the form of the address, says that this mail can never be delivered.

    `reason` names the obstacle without quoting the server, whose words may hold the address.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and in whose name."""

    host: str
    port: int
    sender: Sender
    username: str | None = None
    password: str | None = None
    starttls: bool = False

    async def hand_over(self, letter: Letter) -> None:
        """Hand a letter to the server.

        Raises `Unfinished` when the server is away or asks for patience, `MailRefused` when it
        will never take this letter.
        """
        mail = self._mail(letter)
        try:
            async with asyncio.timeout(HAND_OVER_SECONDS):
                await self._send(mail, letter.to_address)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _of_codes(one.code for one in refused.recipients) from None
        except aiosmtplib.SMTPDataError as refused:
            raise _of_codes([refused.code]) from None
        except aiosmtplib.SMTPNotSupported:
            raise MailRefused("address_not_supported") from None
        except (aiosmtplib.SMTPException, ssl.SSLError, OSError, TimeoutError) as away:
            # Also a refused sign-in or sender: that is our configuration, not this letter.
            raise Unfinished(type(away).__name__) from None

    async def _send(self, mail: EmailMessage, recipient: str) -> None:
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            timeout=COMMAND_SECONDS,
            start_tls=self.starttls,
            username=self.username,
            password=self.password,
        )
        async with client:
            await client.send_message(mail, sender=self.sender.address, recipients=[recipient])

    def _mail(self, letter: Letter) -> EmailMessage:
        mail = EmailMessage()
        try:
            mail["To"] = Address(letter.to_name, addr_spec=letter.to_address)
        except ValueError:
            raise MailRefused("address_malformed") from None
        mail["From"] = Address(self.sender.name, addr_spec=self.sender.address)
        mail["Subject"] = letter.subject
        mail["Date"] = format_datetime(letter.written_at)
        mail["Message-ID"] = f"<{letter.message_id}@{self.sender.address.rsplit('@', 1)[1]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.text)
        mail.add_alternative(letter.html, subtype="html")
        if letter.invitation:
            _attach(mail, letter.invitation.content, letter.invitation.method)
        return mail


def _attach(mail: EmailMessage, calendar: str, method: str) -> None:
    """Add the invitation twice: as the part that mail programs act on, and as a file to open.

    What is published is no invitation that a mail program could act on: it is the file alone.
    """
    if method != "PUBLISH":
        mail.add_alternative(calendar, subtype="calendar", params={"method": method})
    mail.add_attachment(
        calendar.encode(), maintype="application", subtype="ics", filename="invite.ics"
    )


def _of_codes(codes: Iterable[int]) -> Exception:
    worst = max(codes, default=0)
    return MailRefused(f"smtp_{worst}") if worst >= PERMANENT else Unfinished(f"smtp_{worst}")
