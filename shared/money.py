"""Money: integer minor units with a currency, and divisions that always add up.

Digits after the point follow ISO 4217; the currencies without or with three of them are the ones
Stripe lists as zero-decimal and three-decimal (https://docs.stripe.com/currencies).
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE_BASIS_POINTS = 10_000
MAX_MINOR = 99_999_999
"""The largest single amount Stripe takes for most currencies
(https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""

ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF".split())
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())
TWO_DECIMAL = frozenset(
    """AED AUD BGN BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR ILS INR ISK MXN MYR NOK NZD PHP PLN
    RON RSD SAR SEK SGD THB TRY TWD UAH USD ZAR""".split()
)
CURRENCIES = TWO_DECIMAL | ZERO_DECIMAL | THREE_DECIMAL
"""The currencies an offering may be priced in."""


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


def decimals(currency: str) -> int:
    """Return how many digits stand after the point (0, 2 or 3)."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def shown(money: Money) -> str:
    """Return the amount as plain text, for example `120.00 USD` or `5000 JPY`."""
    digits = decimals(money.currency)
    if digits == 0:
        return f"{money.minor} {money.currency}"
    whole, rest = divmod(abs(money.minor), 10**digits)
    sign = "-" if money.minor < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}d} {money.currency}"
