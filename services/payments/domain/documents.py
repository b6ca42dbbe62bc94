"""Receipts and credit notes: what is frozen when one is issued, and printed ever after. Pure.

A receipt is for money that a card paid, a credit note for money that goes back. They carry ids and
no name, so that they can stay when an account is erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.payments.domain.credits import Lot
from services.payments.domain.orders import Kind, Order
from services.payments.domain.outcomes import Refund, RefundReason
from shared.errors import Refusal

_WHY: dict[RefundReason, str] = {
    "booking_lost": "The session could not take place.",
    "cancelled": "Given back by the policy that was agreed.",
    "operator": "Given back by Mentorium.",
}


class DoesNotAddUp(Exception):
    """The lines of a document are not its amount: a fault of ours, which no paper may show."""


class ReceiptPutAside(Exception):
    """What a credit note is of has no number yet, because its paper could not be made."""


class NothingPutAside(Refusal):
    """No paper of the purchase waits for somebody to mend what keeps it from being made."""

    code = "nothing_put_aside"
    detail = "No paper of this purchase was put aside."


class Series(Enum):
    """A series of numbers, each of which begins anew with every year (UTC)."""

    RECEIPT = "R"
    CREDIT_NOTE = "C"


class Item(BaseModel):
    """One line of a document; `session_id` where it is about one session."""

    model_config = ConfigDict(frozen=True)

    words: str
    amount_minor: int
    session_id: UUID | None = None


class Content(BaseModel):
    """All that a document says beside its number.

    The items less the discount and what credits paid are the amount; the discount may be `amends`.
    A credit note says of which receipt it is, and why.
    """

    model_config = ConfigDict(frozen=True)

    order_id: UUID
    mentor_id: UUID
    title: str
    kind: Kind
    items: tuple[Item, ...]
    discount_minor: int = 0
    amends: bool = False
    credits_minor: int = 0
    amount_minor: int
    currency: str
    happened_at: AwareDatetime
    receipt: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Wanted:
    """A posting that somebody gets a document of; of it a card paid or gets back `card_minor`."""

    wanted_id: int
    entry_id: UUID
    kind: str
    subject: UUID
    happened_at: datetime
    card_minor: int


@dataclass(frozen=True)
class Document:
    """A receipt or a credit note, numbered and final."""

    document_id: UUID
    series: Series
    year: int
    number: int
    entry_id: UUID
    person_id: UUID
    issued_at: datetime
    content: Content

    @property
    def name(self) -> str:
        """Return the number as it is printed."""
        return name_of(self.series, self.year, self.number)


def name_of(series: Series, year: int, number: int) -> str:
    """Return a number as it is printed, for example `R-2030-000001`."""
    return f"{series.value}-{year}-{number:06d}"


def year_of(issued_at: datetime) -> int:
    """Return the year whose numbers a document takes."""
    return issued_at.astimezone(UTC).year


def receipt(order: Order, paid_minor: int, paid_at: datetime) -> Content:
    """Return what the receipt of a payment says; raises `DoesNotAddUp`."""
    content = Content(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        title=order.title,
        kind=order.kind,
        items=_items(order),
        discount_minor=order.discount.minor,
        amends=order.has_amends,
        credits_minor=sum(each.price.minor for each in order.sessions if each.lot_id is not None),
        amount_minor=paid_minor,
        currency=order.price.currency,
        happened_at=paid_at,
    )
    return _adding_up(content)


def _adding_up(content: Content) -> Content:
    items = sum(item.amount_minor for item in content.items)
    if items - content.discount_minor - content.credits_minor != content.amount_minor:
        raise DoesNotAddUp(str(content.order_id))
    return content


def _items(order: Order) -> tuple[Item, ...]:
    if not order.sessions:
        return (Item(words=order.title, amount_minor=order.price.minor),)
    many = len(order.sessions)
    # A version before this one kept what a mentor's code took off for the whole purchase only.
    apart = order.taken_off_minor - sum(each.taken_off_minor for each in order.sessions)
    by_card = next((each for each in order.sessions if each.lot_id is None), None)
    return tuple(
        Item(
            words=order.title if many == 1 else f"{order.title}, session {place} of {many}",
            amount_minor=each.price.minor + each.taken_off_minor + (each is by_card) * apart,
            session_id=each.session_id,
        )
        for place, each in enumerate(order.sessions, 1)
    )


def credit_note(
    order: Order, refund: Refund, planned_minor: int, of_receipt: str | None
) -> Content:
    """Return what the credit note of a refund says; raises `DoesNotAddUp`.

    It is of what was decided to go back: a part may be a refund of its own by now.
    """
    item = Item(
        words=f"Refund: {order.title}",
        amount_minor=planned_minor,
        session_id=refund.session_id,
    )
    content = Content(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        title=order.title,
        kind=order.kind,
        items=(item,),
        amount_minor=planned_minor,
        currency=refund.amount.currency,
        happened_at=refund.planned_at,
        receipt=of_receipt,
        reason=_WHY[refund.reason],
    )
    return _adding_up(content)


def whose(order: Order, lot: Lot | None) -> tuple[UUID, UUID]:
    """Return who paid with a card, and with which purchase: a credit was bought before."""
    return (lot.buyer_id, lot.purchase_id) if lot else (order.mentee_id, order.order_id)
