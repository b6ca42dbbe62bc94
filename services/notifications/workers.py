"""What happens by itself: messages go out when their time has come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.notifications.commands import planning, sending
from services.notifications.domain.letters import compose
from services.notifications.domain.messages import Situation
from services.notifications.gateway import MailRefused, MailServer
from shared.clock import BusinessClock
from shared.db import Connection, Pool, in_transaction
from shared.errors import Unfinished
from shared.log import logger
from shared.process import Loop
from shared.telemetry import outside_call

POLL_SECONDS = 0.3

_log = logger("workers")


@dataclass(frozen=True)
class Postman:
    """Sends what is due: claims in one transaction, hands over outside, records in another."""

    pool: Pool
    clock: BusinessClock
    mail: MailServer
    open_secret: sending.Opener

    async def send_messages(self) -> int:
        """Do one batch of what is due; return how many messages it took."""
        now = self.clock.now()

        async def claim(conn: Connection) -> sending.Claimed:
            return await sending.claim_messages(conn, self.open_secret, now=now)

        claimed = await in_transaction(self.pool, claim)
        # All at once, so that every claim ends well before its lease, and each to its end, whatever
        # becomes of the others; then a mistake is told.
        done = await asyncio.gather(
            *(self._send(letter) for letter in claimed.letters), return_exceptions=True
        )
        for mistake in done:
            if mistake is not None:
                raise mistake
        return claimed.messages

    async def _send(self, situation: Situation) -> None:
        message = situation.message
        with outside_call("mail", message.kind) as call:
            outcome = await self._hand_over(situation)
            call.outcome = _in_a_word(outcome)

        async def record(conn: Connection) -> None:
            now = self.clock.now()
            match outcome:
                case None:
                    await sending.record_sent(conn, message, now=now)
                case MailRefused(reason=reason):
                    await sending.record_refused(conn, message, reason=reason, now=now)
                case _:
                    await sending.postpone_message(conn, message, reason=str(outcome))

        await in_transaction(self.pool, record)

    async def _hand_over(self, situation: Situation) -> Exception | None:
        """Return nothing when the letter was taken, else the obstacle."""
        facts = {
            "message_id": str(situation.message.message_id),
            "kind": situation.message.kind,
            "attempt": situation.message.attempt,
        }
        try:
            await self.mail.hand_over(compose(situation, self.mail.sender))
        except (MailRefused, Unfinished) as obstacle:
            _log.warning("letter_not_taken", reason=str(obstacle), **facts)
            return obstacle
        except Exception as mistake:
            # A mistake of ours in one letter keeps no other waiting; its text may quote the
            # letter, so only its type is told.
            _log.error("letter_not_made", error=type(mistake).__name__, **facts)
            return Unfinished(type(mistake).__name__)
        _log.info("letter_sent", **facts)
        return None


def _in_a_word(obstacle: Exception | None) -> str:
    if obstacle is None:
        return "taken"
    return "refused" if isinstance(obstacle, MailRefused) else "postponed"


def loops(postman: Postman) -> list[Loop]:
    """Return the loops of a worker."""
    return [Loop("send_messages", postman.send_messages, POLL_SECONDS, bell=planning.BELL)]
