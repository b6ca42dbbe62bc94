"""The mailbox: a real SMTP client on one side, a browser or a test on the other."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import aiosmtplib
import pytest

from dev.children import Command, kill, spawn
from dev.home import REPOSITORY
from dev.ports import LOOPBACK, answers, free_ports

START_SECONDS = 20.0
INVITATION = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n"


@dataclass(frozen=True)
class Mailbox:
    smtp_port: int
    port: int
    state: Path

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[aiohttp.ClientSession]:
        options = ("--smtp-port", self.smtp_port, "--port", self.port, "--state", self.state)
        argv = (sys.executable, "-m", "simulators.mail", *(str(each) for each in options))
        process = await spawn(Command(argv, {}, REPOSITORY), asyncio.subprocess.DEVNULL)
        try:
            async with asyncio.timeout(START_SECONDS):
                while not (await answers(self.port) and await answers(self.smtp_port)):
                    await asyncio.sleep(0.05)
            async with aiohttp.ClientSession(f"http://{LOOPBACK}:{self.port}") as session:
                yield session
        finally:
            await kill(process)

    async def send(self, mail: EmailMessage, *, to: str = "ada@example.test") -> None:
        await aiosmtplib.send(
            mail, sender="us@example.test", recipients=[to], hostname=LOOPBACK,
            port=self.smtp_port, start_tls=False, timeout=10,
        )  # fmt: skip


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    smtp_port, port = free_ports(2)
    return Mailbox(smtp_port, port, tmp_path)


def a_mail(subject: str = "Your session is confirmed ✓") -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["To"], mail["From"] = subject, "ada@example.test", "us@example.test"
    mail["X-Cause"] = "cause-1"
    mail.set_content("See https://mentorium.test/sessions/1?a=1&b=2.\nBis bald, Jürgen")
    mail.add_alternative(
        "<p><script>alert(1)</script>"
        '<a href="https://mentorium.test/sessions/1?a=1&amp;b=2">Join</a></p>',
        subtype="html",
    )
    mail.add_attachment(INVITATION, subtype="calendar", params={"method": "REQUEST"})
    mail.add_attachment(b"\x00\x01", maintype="application", subtype="pdf", filename="a.pdf")
    return mail


async def test_a_mail_is_shown_in_all_its_parts(mailbox: Mailbox):
    """Subject, texts, links, headers and attachments come out as they were put in."""
    async with mailbox.running() as session:
        await mailbox.send(a_mail())
        async with session.get("/api/messages", params={"to": "ADA@example.test"}) as answer:
            (mail,) = await answer.json()
        assert mail["subject"] == "Your session is confirmed ✓"
        assert (mail["from"], mail["to"]) == ("us@example.test", ["ada@example.test"])
        assert "Jürgen" in mail["text"]
        assert "Join" in mail["html"]
        assert mail["links"] == ["https://mentorium.test/sessions/1?a=1&b=2"]
        assert mail["headers"]["x-cause"] == "cause-1"
        calendar, pdf = mail["attachments"]
        assert calendar["type"] == "text/calendar; method=REQUEST"
        assert calendar["content"].replace("\r\n", "\n") == INVITATION
        assert (pdf["name"], base64.b64decode(pdf["content"])) == ("a.pdf", b"\x00\x01")
        async with session.get("/api/messages", params={"to": "eve@example.test"}) as answer:
            assert await answer.json() == []


async def test_pages_show_mails_without_running_them(mailbox: Mailbox):
    """The list leads to the mail, its links can be followed and its script may not run."""
    async with mailbox.running() as session:
        await mailbox.send(a_mail("A <b>bold</b> subject"))
        async with session.get("/") as answer:
            page = await answer.text()
        assert "A &lt;b&gt;bold&lt;/b&gt; subject" in page
        assert 'href="/messages/1"' in page
        async with session.get("/messages/1") as answer:
            assert 'href="https://mentorium.test/sessions/1' in await answer.text()
        async with session.get("/messages/1/html") as answer:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        async with session.get("/messages/1/attachments/1") as answer:
            assert await answer.read() == b"\x00\x01"
        for missing in ("/messages/2", "/messages/1/attachments/2"):
            async with session.get(missing) as answer:
                assert answer.status == 404


async def test_mails_survive_a_kill_until_they_are_thrown_away(mailbox: Mailbox):
    """What was accepted is there after a restart; DELETE empties the box."""
    async with mailbox.running():
        await mailbox.send(a_mail())
    async with mailbox.running() as session:
        async with session.get("/api/messages") as answer:
            assert len(await answer.json()) == 1
        async with session.delete("/api/messages") as answer:
            assert answer.status == 204
        async with session.get("/api/messages") as answer:
            assert await answer.json() == []


async def test_faults_happen_as_often_as_ordered(mailbox: Mailbox):
    """Refused for good, put off for now, then accepted; nothing refused is kept."""
    async with mailbox.running() as session:
        for kind in ("refuse", "greylist"):
            async with session.post("/_sim/faults", json={"kind": kind, "count": 1}) as answer:
                assert answer.status == 201
        codes = [await _code(mailbox) for _ in range(3)]
        assert codes == [550, 451, 250]
        async with session.get("/api/messages") as answer:
            assert len(await answer.json()) == 1
        async with session.post("/_sim/faults", json={"kind": "explode"}) as answer:
            assert answer.status == 422


async def _code(mailbox: Mailbox) -> int:
    try:
        await mailbox.send(a_mail())
    except aiosmtplib.SMTPDataError as refused:
        return refused.code
    return 250
