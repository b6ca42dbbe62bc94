"""Money: integers, one currency at a time, and shares that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import CURRENCIES, MAX_MINOR, Money, MoneyMismatch, decimals, shown

amounts = st.integers(min_value=0, max_value=MAX_MINOR)
shares = st.integers(min_value=0, max_value=10_000)
currencies = st.sampled_from(sorted(CURRENCIES))


@given(amounts, shares, currencies)
def test_a_share_and_the_rest_make_the_whole(minor: int, share: int, currency: str) -> None:
    """However odd the amount, nothing is lost and nobody gets less than zero."""
    whole = Money(minor, currency)
    part = whole.part(share)
    rest = whole - part
    assert part + rest == whole
    assert 0 <= part.minor <= whole.minor
    assert 0 <= whole.minor * share - part.minor * 10_000 < 10_000, "rounded down, by less than one"


def test_currencies_are_never_mixed() -> None:
    """Adding yen to dollars is a mistake that shows at once."""
    with pytest.raises(MoneyMismatch):
        Money(1, "USD") + Money(1, "JPY")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(12_000, "USD"), "120.00 USD"),
        (Money(5, "USD"), "0.05 USD"),
        (Money(-1_234, "EUR"), "-12.34 EUR"),
        (Money(5_000, "JPY"), "5000 JPY"),
        (Money(1_234, "KWD"), "1.234 KWD"),
    ],
)
def test_amounts_are_written_with_their_currencys_digits(money: Money, text: str) -> None:
    """Yen has none, dollars two, Kuwaiti dinars three."""
    assert shown(money) == text


def test_a_share_beyond_the_whole_is_a_mistake() -> None:
    """No rule may take more than everything or less than nothing."""
    for wrong in (-1, 10_001):
        with pytest.raises(ValueError, match="share"):
            Money(1, "USD").part(wrong)


@given(currencies)
def test_every_currency_has_its_digits(currency: str) -> None:
    """There is no currency we offer whose digits we do not know."""
    assert decimals(currency) in (0, 2, 3)
