"""Stripe's test cards and what each of them makes happen (https://docs.stripe.com/testing)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from simulators.stripe.errors import Json

_DECLINED = "Your card was declined."


@dataclass(frozen=True)
class CardEntry:
    """What a person typed into the payment page."""

    number: str
    email: str = "payer@example.com"
    name: str = "Test Payer"
    exp_month: int = 12
    exp_year: int = 2040
    country: str = "US"
    postal_code: str | None = None

    @property
    def digits(self) -> str:
        """The number without blanks."""
        return self.number.replace(" ", "").replace("-", "")


@dataclass(frozen=True)
class CardBehaviour:
    """How a card behaves: a decline, a challenge, what a refund to it does, when funds arrive.

    `dispute` is why its bank disputes every charge at once, or asks about it when it is an inquiry.
    """

    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    challenge: bool = False
    refund: str = "succeeds"
    available_at_once: bool = False
    brand: str = "visa"
    dispute: str | None = None
    inquiry: bool = False


def _declined(reason: str, message: str = _DECLINED, code: str = "card_declined") -> CardBehaviour:
    return CardBehaviour(code=code, decline_code=reason, message=message)


_INSUFFICIENT = "Your card has insufficient funds."

TEST_CARDS = {
    "4242424242424242": CardBehaviour(),
    "4000056655665556": CardBehaviour(),
    "5555555555554444": CardBehaviour(brand="mastercard"),
    "378282246310005": CardBehaviour(brand="amex"),
    "4000000000000077": CardBehaviour(available_at_once=True),
    "4000000000007726": CardBehaviour(refund="pends"),
    "4000000000005126": CardBehaviour(refund="fails"),
    "4000000000000259": CardBehaviour(dispute="fraudulent"),
    "4000000000002685": CardBehaviour(dispute="product_not_received"),
    "4000000000001976": CardBehaviour(dispute="fraudulent", inquiry=True),
    "4000000000000002": _declined("generic_decline"),
    "4000000000000341": _declined("generic_decline"),
    "4000000000009995": _declined("insufficient_funds", _INSUFFICIENT),
    "4000000000009987": _declined("lost_card"),
    "4000000000009979": _declined("stolen_card"),
    "4000000000000069": CardBehaviour("expired_card", None, "Your card has expired."),
    "4000000000000127": CardBehaviour(
        "incorrect_cvc", None, "Your card's security code is incorrect."
    ),
    "4000000000000119": CardBehaviour(
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "4000002500003155": CardBehaviour(challenge=True),
    "4000002760003184": CardBehaviour(challenge=True),
    "4000003800000446": CardBehaviour(challenge=True),
    "4000008400001629": replace(_declined("generic_decline"), challenge=True),
}


def behaviour_of(entry: CardEntry) -> CardBehaviour:
    """Return how the card behaves; a number that is no test card is declined as on Stripe."""
    live = "Your card was declined. Your request was in test mode, but used a non test card."
    return TEST_CARDS.get(entry.digits) or _declined("live_mode_test_card", live)


def declined(behaviour: CardBehaviour) -> CardBehaviour:
    """Return how a card behaves whose bank says no this time, and does not say why."""
    return replace(_declined("generic_decline"), brand=behaviour.brand)


def payment_method_details(entry: CardEntry, challenged: bool) -> Json:
    """Return the `payment_method_details` of a charge made with the card."""
    digest = hashlib.sha256(entry.digits.encode()).hexdigest()
    secure = {"authentication_flow": "challenge", "result": "authenticated", "version": "2.2.0"}
    return {
        "type": "card",
        "card": {
            "amount_authorized": None,
            "authorization_code": None,
            "brand": behaviour_of(entry).brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "pass",
            },
            "country": entry.country,
            "exp_month": entry.exp_month,
            "exp_year": entry.exp_year,
            "fingerprint": digest[:16],
            "funding": "credit",
            "installments": None,
            "last4": entry.digits[-4:],
            "mandate": None,
            "network": behaviour_of(entry).brand,
            "network_token": {"used": False},
            "network_transaction_id": digest[16:31],
            "three_d_secure": secure if challenged else None,
            "wallet": None,
        },
    }
