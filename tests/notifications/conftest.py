"""A running service on a real database and a real mail server, and people to write to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from icalendar import Calendar

from services.notifications.domain.letters import Sender
from services.notifications.events import hear
from services.notifications.gateway import MailServer
from services.notifications.workers import Postman
from shared.clock import FixedClock
from shared.contracts import booking, payments, profiles
from shared.contracts import sealed as contents
from shared.contracts.booking import OrderFact
from shared.contracts.envelope import Fact, enclose
from shared.db import Pool, open_pool
from shared.ids import new_id
from shared.inbox import Arrival, Inbox
from shared.seal import new_seal_key, public_half, seal, unseal
from tests.engines import Database

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STARTS = datetime(2026, 3, 6, 14, 0, tzinfo=UTC)
HOST = "127.0.0.1"
SEAL_KEY = new_seal_key()
SENDER = Sender("Mentorium", "hello@mentorium.test", "https://mentorium.test")
HEAL_SECONDS = 20.0
TURNS_AT_MOST = 100


class Mailbox:
    """A real SMTP server that keeps what it takes; `refusals` are answered first, one each."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refusals: list[str] = []
        self.refused = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def handle_DATA(  # noqa: N802  The name is aiosmtpd's.
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.refusals:
            self.refused += 1
            return self.refusals.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=modern)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.extend(envelope.rcpt_tos)
        return "250 taken"

    async def start(self) -> None:
        """Listen; on the same port as before when there was one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.test", loop=loop), HOST, self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.close()
            self._server = None

    def to(self, address: str) -> list[EmailMessage]:
        """Return the mails to an address, in order."""
        return [mail for mail in self.mails if address in str(mail["To"])]

    @property
    def subjects(self) -> list[str]:
        """Return all subjects as they came; letters of one batch are handed over side by side."""
        return [str(mail["Subject"]) for mail in self.mails]


@dataclass
class Marketplace:
    """The service under test, with what happens around it."""

    pool: Pool
    clock: FixedClock
    mailbox: Mailbox
    inbox: Inbox
    postman: Postman
    mentor: UUID = field(default_factory=new_id)
    mentee: UUID = field(default_factory=new_id)
    order: UUID = field(default_factory=new_id)
    session: UUID = field(default_factory=new_id)

    async def hear(self, fact: Fact, *, at: datetime | None = None) -> str:
        """Hear a fact in an envelope of its own; return what became of it."""
        event = enclose(
            fact, event_id=new_id(), source="/services/test", time=at or self.clock.now()
        )
        return await self.inbox.receive(
            Arrival(fact.topic, fact.key, event.headers(), event.value())
        )

    async def work(self) -> None:
        """Let the worker do everything that can be done now."""
        for _ in range(TURNS_AT_MOST):
            if not await self.inbox.take_up() + await self.postman.send_messages():
                return
        pytest.fail("the worker never came to rest")

    async def advance_to(self, instant: datetime) -> None:
        """Move the business clock and let the worker act."""
        self.clock.instant = instant
        await self.work()

    async def meet(self, *, mentor_locale: str = "en", mentee_locale: str = "en") -> None:
        """Make mentor and mentee known."""
        await self.hear(contact(self.mentor, "Mia Mentor", "mia@example.test", mentor_locale))
        await self.hear(
            contact(self.mentee, "Tom Mentee", "tom@example.test", mentee_locale, "Asia/Kathmandu")
        )

    async def confirm(self) -> None:
        """Hear that the session was held and confirmed."""
        await self.hear(self.held())
        await self.hear(self.confirmed())

    def held(self, **changes: Any) -> booking.BookingHeld:
        """Return the first fact about the order."""
        return booking.BookingHeld(
            **self._order(1),
            offering_id=new_id(),
            title="Career talk",
            price_minor=12_000,
            currency="USD",
            hold_until=NOW + timedelta(minutes=15),
            policy=booking.FrozenPolicy(preset="standard", policy_version=1),
        ).model_copy(update=changes)

    def confirmed(self, version: int = 2) -> booking.BookingConfirmed:
        """Return the fact that the session takes place."""
        return booking.BookingConfirmed(**self._order(version), title="Career talk")

    def cancelled(self, version: int = 3) -> booking.BookingCancelled:
        """Return the fact that the mentee called it off."""
        told: dict[str, Any] = {**self._order(version), "calendar_sequence": 1}
        return booking.BookingCancelled(
            **told, by="mentee", reason_given=True, refund_basis_points=5_000
        )

    def completed(self, version: int = 3) -> booking.SessionCompleted:
        """Return the fact that the session took place."""
        return booking.SessionCompleted(
            **self._order(version), by="mentee", completed_at=STARTS + timedelta(hours=1)
        )

    def lost(self, version: int = 2) -> booking.BookingLost:
        """Return the fact that the money came too late."""
        return booking.BookingLost(**self._order(version), reason="time_sold")

    def paid(self) -> payments.PaymentSucceeded:
        """Return the fact that the mentee paid."""
        return payments.PaymentSucceeded(
            **self.money(2), amount_minor=12_000, currency="USD", paid_at=NOW
        )

    def told(self, kind: type[OrderFact], version: int, **said: Any) -> OrderFact:
        """Return a fact about the order; `said` is what it adds or says otherwise."""
        return kind(**self._order(version) | said)

    def requested(self, **said: Any) -> OrderFact:
        """Return the fact that the mentee asks for the session, with two days to answer."""
        sale = {"title": "Career talk", "price_minor": 12_000, "currency": "USD"}
        until = NOW + timedelta(hours=48)
        told = {**sale, "offering_id": new_id(), "answer_by": until, **said}
        return self.told(booking.BookingRequested, 1, **told)

    def sold(self, *ids: UUID) -> list[booking.SoldSession]:
        """Return the sessions of a weekly series, the first at the order's own time."""
        return [
            booking.SoldSession(
                session_id=session_id,
                starts_at=STARTS + timedelta(weeks=week),
                ends_at=STARTS + timedelta(weeks=week, hours=1),
                price_minor=4_000,
            )
            for week, session_id in enumerate(ids)
        ]

    def money(self, version: int) -> dict[str, Any]:
        """Return what all facts about the order's money say."""
        return {
            "version": version,
            "order_id": self.order,
            "mentor_id": self.mentor,
            "mentee_id": self.mentee,
        }

    def _order(self, version: int) -> dict[str, Any]:
        return {
            "version": version,
            "order_id": self.order,
            "session_id": self.session,
            "mentor_id": self.mentor,
            "mentee_id": self.mentee,
            "starts_at": STARTS,
            "ends_at": STARTS + timedelta(hours=1),
            "calendar_sequence": 0,
        }

    def words_to(self, address: str) -> list[tuple[str, str]]:
        """Return subject and text of the mails to an address, the text in one line, sorted."""
        return sorted((str(mail["Subject"]), _text(mail)) for mail in self.mailbox.to(address))

    async def states(self, kind: str, channel: str = "mail") -> list[tuple[str, str | None]]:
        """Return state and reason of every message of a kind."""
        rows = await self.pool.fetch(
            "SELECT state, reason FROM messages WHERE kind = $1 AND channel = $2"
            " ORDER BY message_id",
            kind,
            channel,
        )
        return [(row["state"], row["reason"]) for row in rows]

    async def due(self) -> list[tuple[str, datetime]]:
        """Return what the view says will act by itself."""
        rows = await self.pool.fetch("SELECT kind, due_at FROM due ORDER BY due_at, kind")
        return [(row["kind"], row["due_at"]) for row in rows]

    async def leases_end(self) -> None:
        """Let back-off and leases of system time be over."""
        await self.pool.execute("UPDATE messages SET next_try_at = now()")


def calendar_of(mail: EmailMessage) -> Any:
    """Return the calendar in a mail: the part that is acted on, or the file when there is none."""
    kinds = ("text/calendar", "application/ics")
    (first, *_) = [part for part in mail.walk() if part.get_content_type() in kinds]
    return Calendar.from_ical(first.get_content())


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().replace("\N{NARROW NO-BREAK SPACE}", " ").split())


def contact(
    person: UUID,
    name: str = "Ann Example",
    email: str = "ann@example.test",
    locale: str = "en",
    zone: str = "Europe/Berlin",
    *,
    version: int = 1,
) -> profiles.ContactSealed:
    """Return how a person is reached, sealed as profiles seals it."""
    content = contents.Contact(
        person_id=person, version=version, name=name, email=email, locale=locale, zone=zone
    )
    sealed = seal(content, public_half(SEAL_KEY))
    return profiles.ContactSealed(version=version, person_id=person, sealed=sealed)


def one_time(
    person: UUID, link: str, *, kind: str = "verify_email", expires_at: datetime | None = None
) -> profiles.MessageSealed:
    """Return a one-time message, sealed as profiles seals it."""
    content = contents.OneTimeMessage(
        email="ann@example.test",
        name="Ann Example",
        locale="en",
        link=link,
        expires_at=expires_at or datetime.now(UTC) + timedelta(hours=1),
    )
    return profiles.MessageSealed.model_validate(
        {
            "version": 1,
            "message_id": new_id(),
            "person_id": person,
            "kind": kind,
            "sealed": seal(content, public_half(SEAL_KEY)),
        }
    )


def open_secret(sealed: str) -> contents.OneTimeMessage:
    """Open a one-time message as the worker does."""
    return unseal(sealed, SEAL_KEY, contents.OneTimeMessage)


async def eventually(check: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until `check` holds; fail by the deadline."""
    try:
        async with asyncio.timeout(HEAL_SECONDS):
            while not await check():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"{what} did not happen within {HEAL_SECONDS} s")


@pytest.fixture
async def mailbox() -> AsyncGenerator[Mailbox]:
    """Give a mail server that listens."""
    made = Mailbox()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pool(database: Callable[..., Awaitable[Database]]) -> AsyncGenerator[Pool]:
    """Give a pool of the runtime role on a migrated database."""
    own = await database("notifications")
    made = await open_pool(own.app_url("notifications"), process="test")
    yield made
    await asyncio.wait_for(made.close(), 10)


@pytest.fixture
def market(pool: Pool, mailbox: Mailbox) -> Marketplace:
    """Give the service in a marketplace where nothing happened yet."""
    clock = FixedClock(NOW)
    server = MailServer(HOST, mailbox.port, SENDER)
    return Marketplace(
        pool=pool,
        clock=clock,
        mailbox=mailbox,
        inbox=Inbox(pool, hear(SEAL_KEY), clock),
        postman=Postman(pool, clock, server, open_secret),
    )
