"""What a mentor offers: the states of an offering, and when it may be for sale."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum

from services.booking.domain.cancellation import PRESETS, Policy
from services.booking.domain.terms import Terms
from services.booking.slots import Caps, SlotPolicy
from shared.contracts.booking import (
    CancellationPreset,
    OfferingFact,
    OfferingPublished,
    OfferingSnapshot,
    OfferingWithdrawn,
)
from shared.errors import Kind, Refusal
from shared.ids import OfferingId, PersonId
from shared.money import charge_step, largest_charge, smallest_charge

QUESTIONS_AT_MOST = 10


class OfferingState(Enum):
    """Only what is published can be booked."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class PriceTooSmall(Refusal):
    """The price is below what can be charged, and not zero."""

    code = "price_too_small"
    detail = "Set a price that a card can be charged (see minimum_minor), or 0 for an intro call."


class PriceTooLarge(Refusal):
    """The price is above what a card can be charged at once."""

    code = "price_too_large"
    detail = "Set a price that a card can be charged (see maximum_minor)."


class PriceNotChargeable(Refusal):
    """Cards are charged in larger steps than the minor unit of the currency."""

    code = "price_not_chargeable"
    detail = "Set a price that is a multiple of step_minor; this currency is charged in such steps."


class CurrencyDiffers(Refusal):
    """A mentor is settled in one currency, that of the first offering that was for sale."""

    code = "currency_differs"
    detail = "Price this offering in the currency of your other offerings (see currency)."


class CurrencyNotSettled(Refusal):
    """The platform holds no balance in this currency, so nobody could be paid in it."""

    code = "currency_not_settled"
    detail = "Price this offering in a currency that payments are settled in (see currencies)."


class MentorNotApproved(Refusal):
    """The mentor's profile is not approved, or is suspended."""

    code = "mentor_not_approved"
    detail = "Only an approved mentor can publish: submit the profile and wait for approval."


class AccountCannotReceive(Refusal):
    """The mentor's connected account cannot receive money yet."""

    code = "account_cannot_receive"
    detail = "Finish connecting the account that receives your earnings, then publish."


class OfferingNotPublished(Refusal):
    """The offering is a draft or was withdrawn."""

    code = "offering_not_published"
    detail = "This offering is not for sale; choose another one of the mentor."
    kind = Kind.CONFLICT


class QuestionsAlike(Refusal):
    """Two questions have the same words, so that their answers could not be told apart."""

    code = "questions_alike"
    detail = "Ask every question once."


@dataclass(frozen=True)
class Question:
    """What a mentor wants to know before a session."""

    text: str
    required: bool


@dataclass(frozen=True)
class OfferingContent:
    """What a mentor writes about an offering; lengths of time in minutes and days.

    `by_request`: the mentor accepts each purchase before it is paid. The caps say how many sessions
    of this offering begin on one day or in one week (from Monday) of the mentor's calendar.
    """

    title: str
    description: str
    minutes: int
    price_minor: int
    currency: str
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int
    horizon_days: int
    cancellation_preset: CancellationPreset
    by_request: bool = False
    daily_cap: int | None = None
    weekly_cap: int | None = None
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class Offering:
    """A kind of session a mentor sells.

    `revision` rises with every change (two windows may edit it), `version` with every fact told.
    """

    offering_id: OfferingId
    mentor_id: PersonId
    state: OfferingState
    revision: int
    version: int
    content: OfferingContent

    @property
    def is_published(self) -> bool:
        """Return whether it is for sale."""
        return self.state is OfferingState.PUBLISHED

    @property
    def policy(self) -> Policy:
        """Return the cancellation policy a purchase made now would freeze."""
        return PRESETS[self.content.cancellation_preset]

    def slot_policy(self, terms: Terms) -> SlotPolicy:
        """Return what it asks of a start; a hold must be over before the session begins."""
        content = self.content
        return SlotPolicy(
            minutes=content.minutes,
            buffer_before_minutes=content.buffer_before_minutes,
            buffer_after_minutes=content.buffer_after_minutes,
            minimum_notice_minutes=max(content.minimum_notice_minutes, terms.payment_minutes),
            horizon_days=content.horizon_days,
            caps=Caps(content.daily_cap, content.weekly_cap),
        )


Change = tuple[Offering, OfferingFact | None]


def draft_offering(
    offering_id: OfferingId, mentor_id: PersonId, content: OfferingContent
) -> Offering:
    """Return a new draft; raises what `check_price` raises, or `QuestionsAlike`."""
    _check(content)
    return Offering(offering_id, mentor_id, OfferingState.DRAFT, 1, 0, content)


def edit_offering(offering: Offering, content: OfferingContent, *, can_receive: bool) -> Change:
    """Return it with new content, told when it is for sale; purchases made before stay as made.

    Raises what `draft_offering` raises, and `AccountCannotReceive` for a free offering on sale that
    shall begin to cost.
    """
    _check(content)
    begins_to_cost = content.price_minor and not offering.content.price_minor
    if offering.is_published and begins_to_cost and not can_receive:
        raise AccountCannotReceive
    edited = replace(offering, content=content, revision=offering.revision + 1)
    return _told(edited, OfferingPublished) if edited.is_published else (edited, None)


def publish_offering(
    offering: Offering, *, approved: bool, can_receive: bool, settled: Collection[str]
) -> Change:
    """Put it up for sale in one of the currencies that are `settled`.

    Raises `MentorNotApproved`, `CurrencyNotSettled` or `AccountCannotReceive`. What costs nothing
    needs no account that receives money.
    """
    if not approved:
        raise MentorNotApproved
    if offering.content.currency not in settled:
        raise CurrencyNotSettled(currencies=", ".join(sorted(settled)))
    if not can_receive and offering.content.price_minor:
        raise AccountCannotReceive
    if offering.is_published:
        return offering, None
    return _told(_moved(offering, OfferingState.PUBLISHED), OfferingPublished)


def withdraw_offering(offering: Offering) -> Change:
    """Take it off sale; raises `OfferingNotPublished` when it never was for sale."""
    if offering.state is OfferingState.DRAFT:
        raise OfferingNotPublished("A draft is not for sale; there is nothing to withdraw.")
    if not offering.is_published:
        return offering, None
    return _told(_moved(offering, OfferingState.WITHDRAWN), OfferingWithdrawn)


def tell_again(offering: Offering) -> Change:
    """Tell its state once more, for readers who rebuild what they know."""
    return _told(offering, OfferingSnapshot)


def check_price(price_minor: int, currency: str) -> None:
    """Raise unless a card can be charged a price, or it is nothing, as that of an intro call.

    That is `PriceTooSmall`, `PriceTooLarge` or `PriceNotChargeable`.
    """
    least, most, step = smallest_charge(currency), largest_charge(currency), charge_step(currency)
    if 0 < price_minor < least:
        raise PriceTooSmall(minimum_minor=least, currency=currency)
    if price_minor > most:
        raise PriceTooLarge(maximum_minor=most, currency=currency)
    if price_minor % step:
        raise PriceNotChargeable(step_minor=step)


def _check(content: OfferingContent) -> None:
    check_price(content.price_minor, content.currency)
    if len({question.text for question in content.questions}) < len(content.questions):
        raise QuestionsAlike


def _moved(offering: Offering, state: OfferingState) -> Offering:
    return replace(offering, state=state, revision=offering.revision + 1)


def _told(offering: Offering, kind: type[OfferingFact]) -> Change:
    told = replace(offering, version=offering.version + 1)
    fact = kind(
        version=told.version,
        offering_id=told.offering_id,
        mentor_id=told.mentor_id,
        title=told.content.title,
        minutes=told.content.minutes,
        price_minor=told.content.price_minor,
        currency=told.content.currency,
        published=told.is_published,
    )
    return told, fact
