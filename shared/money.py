"""Money: integer minor units with a currency, and divisions that always add up.

What we know of a currency is what Stripe publishes at https://docs.stripe.com/currencies: which
ones can be charged, how many digits they have, in which steps they move, and the smallest and
largest charge.
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE_BASIS_POINTS = 10_000
MAX_MINOR = 99_999_999
"""The largest single amount Stripe takes for most currencies
(https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""
LARGEST_CHARGES = {
    "IDR": 999_999_999_999,
    "LBP": 999_999_999_999,
    "COP": 999_999_999_999,
    "HUF": 999_999_999_999,
    "JPY": 9_999_999_999,
    "INR": 999_999_999,
}
"""Where the largest amount is another one; of five currencies no more than 12 digits are used."""
MAX_MINOR_OF_ALL = max(LARGEST_CHARGES.values())

ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())
TWO_DECIMAL = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD
    CDF CHF CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG
    HUF IDR ILS INR ISK JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR
    MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK
    SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX USD UYU UZS WST XCD YER ZAR
    ZMW""".split()
)
CURRENCIES = TWO_DECIMAL | ZERO_DECIMAL | THREE_DECIMAL
"""The currencies that cards can be charged in, and so what offerings may be priced in."""

WHOLE_UNIT_CHARGES = frozenset({"ISK", "UGX"})
"""Charged and refunded in whole units although two decimals are written
(https://docs.stripe.com/currencies#special-cases)."""
WHOLE_UNIT_PAYOUTS = frozenset({"HUF", "ISK", "TWD", "UGX"})
"""Paid out in whole units, so that mentors are given whole units."""
THREE_DECIMAL_STEP = 10
"""Stripe takes amounts of three-decimal currencies only when they end in 0."""
WHOLE_UNIT_STEP = 100

SMALLEST_CHARGES = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1_500, "DKK": 250,
    "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17_500, "INR": 50, "JPY": 50, "MXN": 1_000, "MYR": 200,
    "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1_000, "USD": 50,
}  # fmt: skip
"""The smallest charge in minor units, where Stripe publishes one
(https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""
_ABOUT_A_DOLLAR = {
    1: "BHD BMD BSD FKP GIP JOD KWD KYD OMR PAB SHP",
    2: "ANG AWG AZN BAM BBD BND BZD",
    5: "BYN FJD GEL ILS PEN PGK QAR SAR TND TOP WST XCD",
    10: "BOB CNY GTQ MAD MOP SBD TTD",
    20: "BWP LSL MDL MVR NAD SCR SZL TJS ZAR",
    50: "HNL NIO SLE SRD TRY TWD UAH UYU ZMW",
    100: "AFN ALL DOP EGP GMD KGS MKD MUR MZN PHP RUB",
    200: "BDT CVE DJF DZD ETB HTG ISK JMD KES LRD NPR RSD VUV XPF",
    500: "AMD GYD KMF KZT LKR PKR YER",
    1_000: "AOA CLP CRC SOS XAF XOF",
    2_000: "ARS KRW MWK NGN RWF",
    5_000: "BIF CDF COP KHR MGA MMK MNT TZS UGX",
    10_000: "GNF PYG",
    20_000: "IDR UZS",
    50_000: "LAK STD VND",
    100_000: "LBP",
}
"""For the others Stripe wants half a dollar after conversion. Here stands about one dollar, in
whole units: a rate may move by half before anything is offered that cannot be charged."""
_ROUGHLY = {code: units for units, codes in _ABOUT_A_DOLLAR.items() for code in codes.split()}


class MoneyMismatch(ValueError):
    """Two amounts of different currencies were put together."""


@dataclass(frozen=True, order=False)
class Money:
    """An amount in integer minor units (cents, yen, fils) of one ISO 4217 currency."""

    minor: int
    currency: str

    def __add__(self, other: Money) -> Money:
        """Return the sum; raises `MoneyMismatch` for different currencies."""
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        """Return the difference, which may be negative; raises `MoneyMismatch`."""
        return Money(self.minor - self._same(other), self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise MoneyMismatch(f"{self.currency} and {other.currency}")
        return other.minor

    def part(self, basis_points: int) -> Money:
        """Return a share, rounded down to a whole minor unit (0 to 10,000 basis points)."""
        if not 0 <= basis_points <= WHOLE_BASIS_POINTS:
            raise ValueError("a share lies between 0 and 10,000 basis points")
        return Money(self.minor * basis_points // WHOLE_BASIS_POINTS, self.currency)

    def in_steps(self, step: int) -> Money:
        """Return the amount rounded down to a multiple of `step` minor units."""
        return Money(self.minor - self.minor % step, self.currency)


def decimals(currency: str) -> int:
    """Return how many digits stand after the point (0, 2 or 3)."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def charge_step(currency: str) -> int:
    """Return of how many minor units charges and refunds are a multiple."""
    if currency in THREE_DECIMAL:
        return THREE_DECIMAL_STEP
    return WHOLE_UNIT_STEP if currency in WHOLE_UNIT_CHARGES else 1


def payout_step(currency: str) -> int:
    """Return of how many minor units payouts are a multiple."""
    return WHOLE_UNIT_STEP if currency in WHOLE_UNIT_PAYOUTS else charge_step(currency)


def smallest_charge(currency: str) -> int:
    """Return the least that a card can be charged, in minor units; roughly, where converted."""
    published = SMALLEST_CHARGES.get(currency)
    return published or _ROUGHLY[currency] * 10 ** decimals(currency)


def largest_charge(currency: str) -> int:
    """Return the most that a card can be charged, in minor units."""
    return LARGEST_CHARGES.get(currency, MAX_MINOR)


def spread(whole: Money, over: list[Money], step: int = 1) -> list[Money]:
    """Divide an amount in the proportion of others, in multiples of `step`; the sum is exact.

    What does not come out even goes to the first of them that have room, so that no part is larger
    than what it is a part of. The whole is a multiple of `step`, and not more than all together.
    """
    total = sum(each.minor for each in over)
    shares = [whole.minor * each.minor // (total or 1) // step * step for each in over]
    left = whole.minor - sum(shares)
    for place, each in enumerate(over):
        more = min(left, each.minor - shares[place])
        shares[place] += more
        left -= more
    return [Money(share, whole.currency) for share in shares]


def shown(money: Money) -> str:
    """Return the amount as plain text, for example `120.00 USD` or `5000 JPY`."""
    digits = decimals(money.currency)
    if digits == 0:
        return f"{money.minor} {money.currency}"
    whole, rest = divmod(abs(money.minor), 10**digits)
    sign = "-" if money.minor < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}d} {money.currency}"
