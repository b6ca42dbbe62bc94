"""A received mail, taken apart once for people and for tests."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from pydantic import BaseModel

_LINK = re.compile(r"https?://[^\s<>\"']+")
_HREF = re.compile(r"""href\s*=\s*["'](https?://[^"']+)["']""", re.IGNORECASE)
_NOT_PART_OF_A_LINK = ".,;:!?)"


class Attachment(BaseModel):
    """A part beside the text: a calendar invitation, a file. `content` is base64 unless text."""

    name: str
    type: str
    content: str


class Message(BaseModel):
    """One mail as it came in; `to` are the envelope's recipients, also those in no header."""

    id: int
    received_at: datetime
    sender: str
    to: list[str]
    subject: str
    text: str
    html: str
    links: list[str]
    headers: dict[str, str]
    attachments: list[Attachment]


def take_apart(
    number: int, received_at: datetime, sender: str, to: list[str], raw: bytes
) -> Message:
    """Read a raw mail; parts that cannot be decoded show with replacement characters."""
    mail = message_from_bytes(raw, policy=policy.default)
    text, html = _body(mail, "plain"), _body(mail, "html")
    return Message(
        id=number,
        received_at=received_at,
        sender=sender,
        to=to,
        subject=str(mail.get("subject", "")),
        text=text,
        html=html,
        links=_links(text, html),
        headers={name.lower(): str(value) for name, value in mail.items()},
        attachments=[_attachment(part) for part in mail.walk() if _is_beside_the_text(part)],
    )


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    return _text(part) if part else ""


def _text(part: MIMEPart) -> str:
    content = part.get_payload(decode=True)
    charset = part.get_content_charset("utf-8")
    return content.decode(charset, errors="replace") if isinstance(content, bytes) else ""


def _links(text: str, html: str) -> list[str]:
    """Return every web address once, in the order of the text first."""
    found = [link.rstrip(_NOT_PART_OF_A_LINK) for link in _LINK.findall(text)]
    found += [link.replace("&amp;", "&") for link in _HREF.findall(html)]
    return list(dict.fromkeys(found))


def _is_beside_the_text(part: EmailMessage) -> bool:
    if part.is_multipart():
        return False
    shown = part.get_content_type() in ("text/plain", "text/html")
    return not shown or part.get_content_disposition() == "attachment"


def _attachment(part: EmailMessage) -> Attachment:
    kind = part.get_content_type()
    raw = part.get_payload(decode=True)
    binary = base64.b64encode(raw if isinstance(raw, bytes) else b"").decode()
    content = _text(part) if kind.startswith("text/") else binary
    name = part.get_filename() or ("invite.ics" if kind == "text/calendar" else "part")
    return Attachment(name=name, type=_full_type(part, kind), content=content)


def _full_type(part: EmailMessage, kind: str) -> str:
    """Return the type with an invitation's method, which says what a calendar does with it."""
    method = part.get_param("method")
    return f"{kind}; method={method}" if isinstance(method, str) else kind
