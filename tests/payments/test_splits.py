"""Splits: integers that always sum to the price, in every kind of currency (case 20)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.splits import divide
from shared.money import Money

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "HUF", "EUR", "ISK"])
MINOR = st.integers(0, 99_999_999)
POINTS = st.integers(0, 10_000)


@given(MINOR, CURRENCIES, POINTS, POINTS)
def test_the_parts_sum_to_the_price(minor: int, currency: str, refund: int, share: int) -> None:
    """Nothing is lost or made up, nobody gets less than nothing."""
    split = divide(Money(minor, currency), refund, share)
    parts = (split.mentee.minor, split.mentor.minor, split.platform.minor)
    assert sum(parts) == minor
    assert min(parts) >= 0


@given(MINOR, CURRENCIES, POINTS, POINTS)
def test_nobody_gets_more_than_the_fraction(
    minor: int, currency: str, refund: int, share: int
) -> None:
    """Mentee and mentor are rounded down: the odd minor unit stays with the platform."""
    split = divide(Money(minor, currency), refund, share)
    assert split.mentee.minor * 10_000 <= minor * refund
    assert split.mentor.minor * 10_000 <= split.retained.minor * (10_000 - share)


@given(MINOR, CURRENCIES, POINTS)
def test_everything_back_is_everything(minor: int, currency: str, share: int) -> None:
    """A full refund leaves nothing to anybody, whatever the currency's steps."""
    split = divide(Money(minor, currency), 10_000, share)
    assert (split.mentee.minor, split.retained.minor) == (minor, 0)


@given(st.integers(0, 9_999_999).map(lambda n: n * 10), POINTS, POINTS)
def test_dinars_end_in_zero(minor: int, refund: int, share: int) -> None:
    """Three-decimal amounts that Stripe moves end in 0."""
    split = divide(Money(minor, "KWD"), refund, share)
    assert split.mentee.minor % 10 == split.mentor.minor % 10 == 0


@given(MINOR, POINTS, POINTS)
def test_forints_are_paid_out_whole(minor: int, refund: int, share: int) -> None:
    """A mentor's share in forints can be paid out to the last fillér."""
    assert divide(Money(minor, "HUF"), refund, share).mentor.minor % 100 == 0


def test_odd_units_by_hand() -> None:
    """12.5 % of 100.01 after a third went back, in cents; and one yen."""
    split = divide(Money(10_001, "USD"), 3_333, 1_250)
    assert (split.mentee.minor, split.mentor.minor, split.platform.minor) == (3_333, 5_834, 834)
    yen = divide(Money(1, "JPY"), 5_000, 1_500)
    assert (yen.mentee.minor, yen.mentor.minor, yen.platform.minor) == (0, 0, 1)
