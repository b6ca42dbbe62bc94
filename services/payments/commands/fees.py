"""Fee rules: made by operators, and frozen as terms on each purchase."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments.domain.fees import (
    FeeRule,
    FeesOutdated,
    NoOwnFees,
    check_rule,
)
from services.payments.domain.freezing import freeze as freeze_terms
from services.payments.domain.orders import Order
from services.payments.store import fees as store
from shared.db import Connection


async def freeze(conn: Connection, order: Order) -> Order:
    """Freeze the terms of now on a purchase; without any rule the share of the settings stays."""
    rule = await store.rule_for(conn, order.mentor_id)
    if rule is None:
        return order
    volume = await store.volume_of(conn, order.mentor_id, order.price.currency)
    return freeze_terms(order, rule.terms(volume))


async def make_rule(
    conn: Connection, rule: FeeRule, made_by: str, now: datetime, *, instead_of: int | None
) -> FeeRule:
    """Make a rule in place of the version that was seen; purchases made before stay as made.

    Raises `TiersDisordered` or `FeesOutdated`.
    """
    check_rule(rule)
    await store.take_turn(conn)
    holds = await store.rule_for(conn, rule.mentor_id)
    if instead_of != (holds.version if holds else None):
        raise FeesOutdated
    return replace(rule, version=await store.add_rule(conn, rule, made_by, now))


async def end_own_rule(conn: Connection, mentor_id: UUID, made_by: str, now: datetime) -> None:
    """Let the rule for everybody hold for a mentor again; raises `NoOwnFees`."""
    await store.take_turn(conn)
    holds = await store.rule_for(conn, mentor_id)
    if holds is None or holds.mentor_id is None:
        raise NoOwnFees
    await store.add_rule(conn, holds, made_by, now, ended=True)
