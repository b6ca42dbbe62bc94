"""The share that goes back, on both sides of every boundary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.booking.domain.cancellation import PRESETS, WHOLE, mentee_share, mentor_share

STARTS = datetime(2026, 3, 6, 14, 0, tzinfo=UTC)
STANDARD = PRESETS["standard"]
MOMENT = timedelta(microseconds=1)
DAY, TWO_HOURS = timedelta(hours=24), timedelta(hours=2)


@pytest.mark.parametrize(
    ("before", "share", "valid_for"),
    [
        (DAY + MOMENT, 10_000, MOMENT),
        (DAY, 10_000, timedelta(0)),
        (DAY - MOMENT, 5_000, DAY - MOMENT - TWO_HOURS),
        (TWO_HOURS, 5_000, timedelta(0)),
        (TWO_HOURS - MOMENT, 0, TWO_HOURS - MOMENT),
        (timedelta(0), 0, timedelta(0)),
    ],
)
def test_standard_gives_all_half_or_nothing_back(
    before: timedelta, share: int, valid_for: timedelta
):
    """24 hours or more: all; from 24 down to 2 hours: half; less: nothing."""
    now = STARTS - before
    found = mentee_share(STANDARD, STARTS, now)
    assert found.refund_basis_points == share
    assert found.valid_until == now + valid_for


def test_after_the_start_nothing_goes_back():
    """A session that began cost its price."""
    assert mentee_share(STANDARD, STARTS, STARTS + MOMENT).refund_basis_points == 0


def test_a_mentor_who_cancels_gives_everything_back():
    """Whenever that is."""
    assert mentor_share(STARTS).refund_basis_points == WHOLE


@given(some.timedeltas(timedelta(0), timedelta(days=3)))
def test_a_share_holds_until_the_instant_it_names(before: timedelta):
    """Up to `valid_until` the share is the same; a moment later it is less."""
    now = STARTS - before
    share = mentee_share(STANDARD, STARTS, now)
    assert share.valid_until
    assert mentee_share(STANDARD, STARTS, share.valid_until) == share
    later = mentee_share(STANDARD, STARTS, share.valid_until + MOMENT)
    assert later.refund_basis_points < share.refund_basis_points or share.valid_until == STARTS
