"""What this service does by itself: shows reviews in time, rotates keys, forgets what is over."""

from __future__ import annotations

from services.profiles.commands.keys import rotate_keys
from services.profiles.commands.office import Office
from services.profiles.commands.reviews import publish_reviews
from services.profiles.store import accounts, reviews, sign_ins
from shared.clock import BusinessClock, system_now
from shared.db import Pool, connection, in_transaction
from shared.process import Loop

REVIEWS_POLL_SECONDS = 0.3
REVIEWS_BATCH = 100
KEYS_POLL_SECONDS = 60.0
PRUNE_POLL_SECONDS = 600.0
PRUNE_BATCH = 5_000
PRUNED = (accounts.PRUNE_LINKS, sign_ins.PRUNE_REFRESH, sign_ins.PRUNE_SIGN_INS)


def loops(pool: Pool, office: Office, clock: BusinessClock) -> list[Loop]:
    """Return what a worker of this service turns."""
    return [
        Loop("publish_reviews", lambda: publish_due(pool, office, clock), REVIEWS_POLL_SECONDS),
        Loop("rotate_keys", lambda: rotate(pool, office), KEYS_POLL_SECONDS),
        Loop("forget_what_is_over", lambda: forget(pool), PRUNE_POLL_SECONDS),
    ]


async def publish_due(pool: Pool, office: Office, clock: BusinessClock) -> int:
    """Show reviews whose time of silence is over, in order; return how many sessions' were."""
    now = clock.now()
    async with connection(pool) as conn:
        due = await reviews.due_cases(conn, now, REVIEWS_BATCH)
    done = 0
    for session_id in due:
        done += await in_transaction(
            pool, lambda conn, session=session_id: publish_reviews(conn, office, session, now)
        )
    return done


async def rotate(pool: Pool, office: Office) -> int:
    """Make the next signing key when it is time."""
    return await in_transaction(
        pool, lambda conn: rotate_keys(conn, office.secret, office.rotation, system_now())
    )


async def forget(pool: Pool) -> int:
    """Delete links, tokens and sign-ins that ended by the system clock; return how many."""
    now, gone = system_now(), 0
    for statement in PRUNED:
        gone += int((await pool.execute(statement, now, PRUNE_BATCH)).split()[-1])
    return gone
