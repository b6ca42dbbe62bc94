"""Stripe's own numbers about money: fees, smallest charges, and how amounts are written."""

from __future__ import annotations

from simulators.stripe.errors import Json, StripeError, invalid

FEE_PER_MILLE = 29
"""2.9 % of the amount, as a US account pays for cards (https://stripe.com/pricing)."""
FEE_FIXED_MINOR_UNITS = 30
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
THREE_DECIMAL_STEP = 10
"""The last digit of three-decimal amounts must be 0 (https://docs.stripe.com/currencies#three-decimal)."""
WHOLE_UNITS = frozenset({"isk", "ugx"})
"""Written with two decimals, which must be 00 (https://docs.stripe.com/currencies#special-cases)."""
WHOLE_UNIT_PAYOUTS = WHOLE_UNITS | {"huf", "twd"}
"""What is paid out in whole units only, from the same page."""
WHOLE_UNIT_STEP = 100
SMALLEST_CHARGE = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
"""Minor units (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""


LARGEST_CHARGE = 99_999_999
LARGEST_CHARGES = {
    "cop": 999_999_999_999, "huf": 999_999_999_999, "idr": 999_999_999_999,
    "inr": 999_999_999, "jpy": 9_999_999_999, "lbp": 999_999_999_999,
}  # fmt: skip
"""Where more than eight digits may be charged, from the same page."""


def decimals(currency: str) -> int:
    """Return how many decimals Stripe writes for a currency."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def written(amount: int, currency: str) -> str:
    """Return an amount for people, such as `120.00 USD`."""
    places = decimals(currency)
    return f"{amount / 10**places:,.{places}f} {currency.upper()}"


def charge_step(currency: str) -> int:
    """Return of how many minor units charges, refunds and disputes are a multiple."""
    if currency in THREE_DECIMAL:
        return THREE_DECIMAL_STEP
    return WHOLE_UNIT_STEP if currency in WHOLE_UNITS else 1


def payout_step(currency: str) -> int:
    """Return of how many minor units payouts are a multiple."""
    return WHOLE_UNIT_STEP if currency in WHOLE_UNIT_PAYOUTS else charge_step(currency)


def check_charge(amount: int, currency: str, least: str, param: str) -> None:
    """Refuse what cannot be charged; `least` is how the caller says that it is too little."""
    smallest = SMALLEST_CHARGE.get(currency, 1)
    if amount < smallest:
        raise invalid(f"{least} {written(smallest, currency)}", code="amount_too_small")
    largest = LARGEST_CHARGES.get(currency, LARGEST_CHARGE)
    if amount > largest:
        message = f"Amount must be no more than {written(largest, currency)}"
        raise invalid(message, code="amount_too_large", param=param)
    check_fraction(amount, currency, param)


def check_fraction(amount: int, currency: str, param: str) -> None:
    """Refuse an amount with digits that cards cannot move in its currency."""
    if amount % charge_step(currency):
        raise _fraction(currency, param)


def _fraction(currency: str, param: str) -> StripeError:
    code, page = currency.upper(), "https://stripe.com/docs/currencies"
    if currency in WHOLE_UNITS:
        return invalid(
            f"Invalid amount. Currency {code} has become effectively zero-decimal and charged "
            f"amounts must be evenly divisible by 100. See {page}#special-cases for more "
            "information.",
            code="invalid_charge_amount_no_decimal_compatible",
            param=param,
        )
    return invalid(
        f"Invalid amount. The least-significant digit of amounts in {code} must be 0. See "
        f"{page}#three-decimal for more information.",
        code="invalid_charge_amount",
        param=param,
    )


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
