"""What operators do about somebody's plan: they stop it, and never have it cost more."""

from __future__ import annotations

from uuid import UUID

from services.payments.commands import subscriptions as commands
from services.payments.domain.subscriptions import Wish
from services.payments.store import subscriptions as store
from shared.clock import BusinessInstant
from shared.db import Connection
from shared.deeds import Deed, Details
from shared.errors import NotFound


async def pause_as_asked(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Have no further month paid; raises `NotFound` or `SubscriptionNotLive`."""
    subscription_id = await _known(conn, deed)
    await commands.wish(conn, subscription_id, Wish(paused=True, by="operator"), now)
    return {}


async def end_as_asked(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """End a plan with its month; or at once, on the amount that was shown to go back.

    Raises `NotFound`, `SubscriptionNotLive` or `UnusedChanged`.
    """
    subscription_id = await _known(conn, deed)
    if deed.arguments["at"] == "period_end":
        await commands.wish(conn, subscription_id, Wish(ending=True, by="operator"), now)
        return {"at": "period_end"}
    shown = int(deed.arguments["shown_minor"])
    ended = await commands.end_now(conn, subscription_id, shown, "operator", now)
    plan = await commands.need_plan(conn, ended.plan_id)
    return {"at": "now", "amount_minor": shown, "currency": plan.unit.currency}


async def _known(conn: Connection, deed: Deed) -> UUID:
    subscription_id = UUID(deed.subject)
    if await store.load_subscription(conn, subscription_id) is None:
        raise NotFound
    return subscription_id
