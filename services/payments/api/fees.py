"""What the platform takes: the rules as operators make them, and what holds for a mentor."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.payments.api.currencies import Currency
from services.payments.api.cursors import one_uuid
from services.payments.api.terms import terms_of
from services.payments.commands import fees as commands
from services.payments.domain.fees import (
    TIERS_AT_MOST,
    Bearer,
    FeeRule,
    FeesOutdated,
    NoOwnFees,
    Tier,
    TiersDisordered,
)
from services.payments.store import fees as store
from shared.auth import Role
from shared.contracts.common import BasisPoints, CurrencyCode, Minor
from shared.db import Connection
from shared.deeds import Deed
from shared.money import CURRENCIES, MAX_MINOR_OF_ALL
from shared.web import Api, Body, Call, Page, PageQuery, Query, View, WholeNumber
from shared.web.operators import DeedDone, Reasoned, do

ACCEPTED = 202
EVERYBODY = "everybody"
Amount = Annotated[WholeNumber, Field(ge=1, le=MAX_MINOR_OF_ALL)]
Share = Annotated[WholeNumber, Field(ge=0, le=10_000)]


class TierShape(Body):
    """From this lifetime volume in the currency on, the share is this one."""

    currency: Currency
    from_minor: Amount
    share_basis_points: Share


class MinimumShape(Body):
    """The least that is taken of a session's price in the currency."""

    currency: Currency
    minimum_minor: Amount


class RuleBody(Reasoned):
    """A rule for everybody, or for one mentor, in place of the version that was seen."""

    mentor_id: UUID | None = None
    share_basis_points: Share
    tiers: Annotated[list[TierShape], Field(max_length=TIERS_AT_MOST)] = Field(
        default_factory=list[TierShape]
    )
    minimums: Annotated[list[MinimumShape], Field(max_length=len(CURRENCIES))] = Field(
        default_factory=list[MinimumShape]
    )
    stripe_fee: Bearer = "platform"
    instead_of: WholeNumber | None = None


class TierView(View):
    """From this lifetime volume in the currency on, the share is this one."""

    currency: CurrencyCode
    from_minor: Minor
    share_basis_points: BasisPoints


class MinimumView(View):
    """The least that is taken of a session's price in the currency."""

    currency: CurrencyCode
    minimum_minor: Minor


class RuleView(View):
    """A rule; without a version it is what the settings say."""

    version: int | None
    mentor_id: UUID | None
    share_basis_points: BasisPoints
    tiers: list[TierView]
    minimums: list[MinimumView]
    stripe_fee: Bearer


class RuleQuery(Query):
    """For whom; left out, for everybody."""

    mentor_id: UUID | None = None


class MyFeesQuery(Query):
    """In which currency the mentor sells."""

    currency: Currency


class MyFees(View):
    """What is taken of a session sold now, and the lifetime volume that decides about it."""

    currency: CurrencyCode
    volume_minor: Minor
    share_basis_points: BasisPoints
    minimum_minor: Minor
    stripe_fee: Literal["platform", "mentor"]
    tiers: list[TierView]


def add_routes(api: Api) -> None:
    """Declare the routes about what is taken."""
    operator = Role.OPERATOR
    api.get("/v1/me/fees", may=Role.MENTOR)(show_mine)
    api.get("/v1/operator/fees", may=operator)(show_rule)
    api.get("/v1/operator/fees/mentors", may=operator)(list_own_rules)
    api.post(
        "/v1/operator/fees",
        may=operator,
        idempotent=True,
        status=ACCEPTED,
        refusals=(TiersDisordered, FeesOutdated),
    )(make_rule)
    api.post(
        "/v1/operator/fees/mentors/{mentor_id}/end",
        may=operator,
        idempotent=True,
        status=ACCEPTED,
        refusals=(NoOwnFees,),
    )(end_own_rule)


async def show_mine(call: Call, query: MyFeesQuery, conn: Connection) -> MyFees:
    """Show what is taken of what the mentor sells now."""
    rule = await store.rule_for(conn, call.person_id) or _of_settings(call)
    volume = await store.volume_of(conn, call.person_id, query.currency)
    terms = rule.terms(volume)
    return MyFees(
        currency=query.currency,
        volume_minor=volume.minor,
        share_basis_points=terms.share_basis_points,
        minimum_minor=terms.minimum_minor,
        stripe_fee=rule.stripe_fee,
        tiers=[TierView(**vars(t)) for t in rule.tiers if t.currency == query.currency],
    )


async def show_rule(call: Call, query: RuleQuery, conn: Connection) -> RuleView:
    """Show the rule that holds for everybody, or for a mentor."""
    return _view(await store.rule_for(conn, query.mentor_id) or _of_settings(call))


async def list_own_rules(call: Call, query: PageQuery, conn: Connection) -> Page[RuleView]:
    """List the mentors' own rules that hold now."""
    del call
    found = await store.own_rules(conn, one_uuid(query), query.limit + 1)
    page = found[: query.limit]
    last = page[-1].mentor_id if len(found) > query.limit else None
    return Page(
        items=[_view(rule) for rule in page], next_cursor=Page.cursor(last) if last else None
    )


async def make_rule(call: Call, body: RuleBody, conn: Connection) -> DeedDone:
    """Make a rule; purchases that began before keep the terms they froze."""
    said = body.model_dump(mode="json", exclude={"reason", "mentor_id"})
    deed = Deed(
        str(call.person_id), "set_fees", _whose(body.mentor_id), body.reason, arguments=said
    )

    async def act(conn: Connection, deed: Deed, now: object) -> dict[str, object]:
        del now
        rule = FeeRule(
            body.share_basis_points,
            tuple(Tier(**tier.model_dump()) for tier in body.tiers),
            {each.currency: each.minimum_minor for each in body.minimums},
            body.stripe_fee,
            body.mentor_id,
        )
        made = await commands.make_rule(conn, rule, deed.who, call.now, instead_of=body.instead_of)
        return {"version": made.version, **said}

    return await do(call, conn, act, deed)


async def end_own_rule(call: Call, mentor_id: UUID, body: Reasoned, conn: Connection) -> DeedDone:
    """Let the rule for everybody hold for a mentor again."""
    deed = Deed(str(call.person_id), "end_own_fees", str(mentor_id), body.reason)

    async def act(conn: Connection, deed: Deed, now: object) -> dict[str, object]:
        del now
        await commands.end_own_rule(conn, mentor_id, deed.who, call.now)
        return {}

    return await do(call, conn, act, deed)


def _whose(mentor_id: UUID | None) -> str:
    return str(mentor_id) if mentor_id else EVERYBODY


def _of_settings(call: Call) -> FeeRule:
    return FeeRule(terms_of(call).platform_share_basis_points)


def _view(rule: FeeRule) -> RuleView:
    return RuleView(
        version=rule.version,
        mentor_id=rule.mentor_id,
        share_basis_points=rule.share_basis_points,
        tiers=[TierView(**vars(tier)) for tier in rule.tiers],
        minimums=[
            MinimumView(currency=code, minimum_minor=minor)
            for code, minor in sorted(rule.minimums.items())
        ],
        stripe_fee=rule.stripe_fee,
    )
