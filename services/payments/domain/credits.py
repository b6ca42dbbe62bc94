"""Sessions that are paid before they are booked: packages, gifts, and a fund for who cannot pay.

What is bought at once is a *lot*: so many sessions of one offering at one price each, so that every
sum is a product and nothing is ever rounded. A credit of a lot pays for a session in place of the
card. A sponsor's lot belongs to nobody until its mentor grants a session of it to somebody.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.payments.domain.offered import NotForSale, Offered
from services.payments.domain.orders import CreditKind, Order, Session, Terms
from services.payments.domain.worth import check_worth
from services.payments.ledger.chart import Account
from shared.errors import Kind as RefusalKind
from shared.errors import Refusal
from shared.money import Money, charge_step, largest_charge, smallest_charge

PACKAGE_SESSIONS_FEWEST = 2
SESSIONS_MOST = 50
MONTHS_LONGEST = 24
GIVEN_MONTHS = 12
"""How long gifts and sponsored sessions are good."""
GRANT_GOOD_FOR = timedelta(days=90)
"""At least, from when the mentor grants a sponsored session."""
RETURNED_GOOD_FOR = timedelta(days=30)
"""At least, from when a credit came back, however old its lot is."""
GIVEN_RESTS_FOR = timedelta(days=30)
"""How long nobody could book what somebody was given, before who paid for it has it back."""
REMIND_BEFORE = timedelta(days=14)
PAGE_OPEN_FOR = timedelta(hours=1)
"""How long a purchase of credits waits to be paid."""

GivenKind = Literal["gift", "sponsorship"]


class OwnSessions(Refusal):
    """Mentors sell to others."""

    code = "own_sessions"
    detail = "These are your own sessions; somebody else can buy them."


class PackagePriceOutside(Refusal):
    """A session of a package costs more than it does alone, or what no card can be charged."""

    code = "package_price_outside"
    kind = RefusalKind.SHAPE
    detail = "A session of a package costs at most what it costs alone, and can be charged."


class PackageTooDear(Refusal):
    """The sum is more than a card can be charged at once."""

    code = "package_too_dear"
    kind = RefusalKind.SHAPE
    detail = "Together this is more than one payment can be; take fewer sessions."


class NothingUnused(Refusal):
    """No credit of the purchase is left that its buyer may have back."""

    code = "nothing_unused"
    detail = "Only credits that are paid, unused, in time and still the buyer's can be given back."


class CreditsChanged(Refusal):
    """Credits were used or came back since the amount was shown; the facts carry it."""

    code = "credits_changed"
    kind = RefusalKind.OUTDATED
    detail = "Look at the amount as it is now and confirm it."


class GiftUnknown(Refusal):
    """No gift that waits has this code."""

    code = "gift_unknown"
    kind = RefusalKind.NOT_FOUND
    detail = (
        "No gift waits under this code: compare it with what you were given, or ask for a new one."
    )


class NotAGift(Refusal):
    """The purchase is no paid gift that waits for whom it is meant for."""

    code = "not_a_gift"
    detail = "Only a paid gift that nobody has redeemed yet has a code."


class FundEmpty(Refusal):
    """No sponsored session of the offering is left."""

    code = "fund_empty"
    detail = "No sponsored session of this offering is left to grant."


class NobodyYouKnow(Refusal):
    """Sponsored sessions are granted to people who have booked with the mentor before."""

    code = "nobody_you_know"
    detail = "Choose somebody who has booked with you before; a free intro call is enough."


@dataclass(frozen=True)
class Package:
    """So many sessions of an offering for less; `unit` is what one of them costs."""

    package_id: UUID
    offering_id: UUID
    mentor_id: UUID
    sessions: int
    unit: Money
    valid_months: int
    offered: bool = True

    @property
    def gift_valid_months(self) -> int:
        """Return how long it is good as a gift: as any gift at least, which waits for its code."""
        return max(self.valid_months, GIVEN_MONTHS)

    @property
    def price(self) -> Money:
        """Return what all of them cost."""
        return Money(self.unit.minor * self.sessions, self.unit.currency)


@dataclass(frozen=True)
class Lot:
    """Credits of one purchase; `remaining` of them can be booked until `expires_at`.

    Nobody's until paid (`expires_at` is empty till then), redeemed or granted. `list_price` is what
    the offering cost alone: one of the same length that costs no more may be booked as well.
    """

    lot_id: UUID
    purchase_id: UUID
    kind: CreditKind
    buyer_id: UUID
    owner_id: UUID | None
    mentor_id: UUID
    offering_id: UUID
    title: str
    minutes: int
    list_price: Money
    unit: Money
    sessions: int
    valid_months: int
    remaining: int = 0
    expires_at: datetime | None = None
    remind_at: datetime | None = None

    @property
    def account(self) -> Account:
        """Return where the ledger keeps what is left of it."""
        return Account.SPONSORED if self.kind == "sponsorship" else Account.CREDITS

    @property
    def value(self) -> Money:
        """Return what the credits that are left are worth."""
        return Money(self.unit.minor * self.remaining, self.unit.currency)

    @property
    def price(self) -> Money:
        """Return what was paid for all of it."""
        return Money(self.unit.minor * self.sessions, self.unit.currency)

    @property
    def is_anothers(self) -> bool:
        """Return whether somebody has it who did not pay for it."""
        return self.owner_id not in (None, self.buyer_id)


@dataclass(frozen=True)
class Wanted:
    """A session that somebody is about to book."""

    session: Session
    offering_id: UUID
    minutes: int


def offer_package(
    package_id: UUID, offered: Offered, sessions: int, unit_minor: int, valid_months: int
) -> Package:
    """Return a package of an offering; raises `NotForSale` or a refusal of its price."""
    if not offered.price.minor:
        raise NotForSale
    unit = Money(unit_minor, offered.price.currency)
    package = Package(
        package_id, offered.offering_id, offered.mentor_id, sessions, unit, valid_months
    )
    step = charge_step(unit.currency)
    if not 0 < unit.minor <= offered.price.minor or unit.minor % step:
        raise PackagePriceOutside(most_minor=offered.price.minor, step_minor=step)
    check_total(package.price)
    return package


def check_total(price: Money) -> None:
    """Raise a refusal unless a card can be charged so much at once."""
    most, least = largest_charge(price.currency), smallest_charge(price.currency)
    if price.minor > most:
        raise PackageTooDear(most_minor=most)
    if price.minor < least:
        raise PackagePriceOutside(least_minor=least)


def lot_of_package(
    package: Package, offered: Offered, buyer_id: UUID, ids: tuple[UUID, UUID], *, as_gift: bool
) -> Lot:
    """Return what somebody is about to buy with a package, for themselves or as a gift."""
    if not package.offered:
        raise NotForSale
    kind: CreditKind = "gift" if as_gift else "package"
    lot = _lot(kind, offered, buyer_id, ids, package.sessions, package.unit)
    check_worth(package.unit, offered.price)
    return replace(lot, valid_months=package.gift_valid_months if as_gift else package.valid_months)


def lot_to_give(
    kind: GivenKind, offered: Offered, buyer_id: UUID, ids: tuple[UUID, UUID], sessions: int
) -> Lot:
    """Return sessions at their price that somebody buys for somebody else."""
    return _lot(kind, offered, buyer_id, ids, sessions, offered.price)


def _lot(
    kind: CreditKind,
    offered: Offered,
    buyer_id: UUID,
    ids: tuple[UUID, UUID],
    sessions: int,
    unit: Money,
) -> Lot:
    offered.check_for_sale()
    if kind == "package" and buyer_id == offered.mentor_id:
        raise OwnSessions
    purchase_id, lot_id = ids
    lot = Lot(
        lot_id,
        purchase_id,
        kind,
        buyer_id,
        buyer_id if kind == "package" else None,
        offered.mentor_id,
        offered.offering_id,
        offered.title,
        offered.minutes,
        offered.price,
        unit,
        sessions,
        GIVEN_MONTHS,
    )
    check_total(lot.price)
    return lot


def purchase_of(lot: Lot, terms: Terms, now: datetime) -> Order:
    """Return the purchase of a lot; it has no sessions, and closes unpaid after an hour."""
    until = now + PAGE_OPEN_FOR
    return Order(
        order_id=lot.purchase_id,
        mentor_id=lot.mentor_id,
        mentee_id=lot.buyer_id,
        title=f"{lot.sessions} × {lot.title}",
        price=lot.price,
        platform_share_basis_points=terms.platform_share_basis_points,
        release_delay=terms.release_delay,
        hold_until=until,
        close_at=until,
        opened_at=now,
        sessions=(),
        kind=lot.kind,
    )


def fill(lot: Lot, at: datetime, expires_at: datetime | None = None) -> Lot:
    """Return a lot that was paid: all its credits, good from then on."""
    until = expires_at or months_after(at, lot.valid_months)
    return _good_until(replace(lot, remaining=lot.sessions), until, at)


def months_after(at: datetime, months: int) -> datetime:
    """Return the same day so many months later, or the last of that month."""
    years, month = divmod(at.month - 1 + months, 12)
    day = min(at.day, monthrange(at.year + years, month + 1)[1])
    return at.replace(year=at.year + years, month=month + 1, day=day)


def pay_with(
    wanted: Iterable[Wanted], lots: Sequence[Lot], now: datetime
) -> list[tuple[Session, Lot]]:
    """Return which sessions credits pay for, and the lot of each as it is afterwards.

    The credits that expire first go first; what they do not reach, the card pays.
    """
    left = {lot.lot_id: lot for lot in sorted(lots, key=lambda lot: lot.expires_at or now)}
    paid: list[tuple[Session, Lot]] = []
    for each in wanted:
        lot = next((lot for lot in left.values() if _fits(lot, each, now)), None)
        if lot is None:
            continue
        left[lot.lot_id] = lot = replace(lot, remaining=lot.remaining - 1)
        paid.append((replace(each.session, price=lot.unit, lot_id=lot.lot_id), lot))
    return paid


def _fits(lot: Lot, wanted: Wanted, now: datetime) -> bool:
    good = lot.remaining > 0 and lot.expires_at is not None and now < lot.expires_at
    price = wanted.session.price
    alike = lot.minutes == wanted.minutes and price.minor <= lot.list_price.minor
    same = lot.offering_id == wanted.offering_id or alike
    return good and same and price.minor > 0 and price.currency == lot.unit.currency


def put_back(lot: Lot, now: datetime) -> Lot:
    """Return a lot to which a credit came back; it is good for some time from now on."""
    more = replace(lot, remaining=lot.remaining + 1)
    until = now + RETURNED_GOOD_FOR
    return more if lot.expires_at and lot.expires_at >= until else _good_until(more, until, now)


def thaw(lot: Lot, since: datetime, now: datetime) -> Lot:
    """Return a lot frozen since then: it has the time again that was left, some at least."""
    left = (lot.expires_at or since) - since
    return _good_until(lot, now + max(left, RETURNED_GOOD_FOR), now)


def empty(lot: Lot) -> Lot:
    """Return a lot of which nothing is left: given back, or over."""
    return replace(lot, remaining=0, remind_at=None)


def bought_of(lots: Sequence[Lot]) -> Lot:
    """Return which of a purchase's lots was bought; the others were granted of it."""
    return min(lots, key=lambda lot: lot.lot_id)


def redeem(lot: Lot, owner_id: UUID) -> Lot:
    """Return a gift that somebody redeemed; raises `GiftUnknown` or `OwnSessions`."""
    if lot.owner_id is not None or not lot.remaining:
        raise GiftUnknown
    if owner_id == lot.mentor_id:
        raise OwnSessions
    return replace(lot, owner_id=owner_id)


def grant(pool: Lot, lot_id: UUID, mentee_id: UUID, now: datetime) -> tuple[Lot, Lot]:
    """Return what is left of a sponsor's lot, and the one session of it that a mentee gets."""
    if not pool.remaining or pool.expires_at is None:
        raise FundEmpty
    expires_at = max(pool.expires_at, now + GRANT_GOOD_FOR)
    granted = replace(pool, lot_id=lot_id, owner_id=mentee_id, sessions=1, remaining=1)
    rest = replace(pool, remaining=pool.remaining - 1)
    return rest, _good_until(granted, expires_at, now)


def unused_of(
    lots: Sequence[Lot], rest: Mapping[UUID, datetime], now: datetime, *, by_operator: bool = False
) -> list[Lot]:
    """Return the lots of a purchase whose rest who paid may have back; raises `NothingUnused`.

    `rest` says since when nobody can book which of them. What somebody else was given goes back
    to who paid only then, and not soon. Operators need not wait, nor mind the time that is over.
    """
    back = [
        lot
        for lot in lots
        if lot.remaining and _goes_back(lot, rest.get(lot.lot_id), now, by_operator=by_operator)
    ]
    if not back:
        raise NothingUnused
    return back


def _goes_back(lot: Lot, since: datetime | None, now: datetime, *, by_operator: bool) -> bool:
    if lot.is_anothers:
        return since is not None and (by_operator or now >= since + GIVEN_RESTS_FOR)
    return by_operator or since is not None or (lot.expires_at is not None and now < lot.expires_at)


def worth_of(lots: Sequence[Lot]) -> Money:
    """Return what the credits are worth that are left of a purchase's lots, one at least."""
    return Money(sum(lot.value.minor for lot in lots), lots[0].unit.currency)


def _good_until(lot: Lot, expires_at: datetime, now: datetime) -> Lot:
    remind_at = expires_at - REMIND_BEFORE
    return replace(lot, expires_at=expires_at, remind_at=remind_at if remind_at > now else None)
