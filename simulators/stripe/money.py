"""Stripe's own numbers about money: fees, smallest charges, and how amounts are written."""

from __future__ import annotations

from simulators.stripe.errors import Json

FEE_PER_MILLE = 29
"""2.9 % of the amount, as a US account pays for cards (https://stripe.com/pricing)."""
FEE_FIXED_MINOR_UNITS = 30
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
SMALLEST_CHARGE = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
"""Minor units (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""


def decimals(currency: str) -> int:
    """Return how many decimals Stripe writes for a currency."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def written(amount: int, currency: str) -> str:
    """Return an amount for people, such as `120.00 USD`."""
    places = decimals(currency)
    return f"{amount / 10**places:,.{places}f} {currency.upper()}"


def card_fee(amount: int) -> int:
    """Return Stripe's fee for a card charge, rounded half up, never more than the amount."""
    return min(amount, (amount * FEE_PER_MILLE + 500) // 1000 + FEE_FIXED_MINOR_UNITS)


def fee_details(fee: int, currency: str) -> list[Json]:
    """Return the parts of a fee."""
    return [
        {
            "amount": fee,
            "application": None,
            "currency": currency,
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
