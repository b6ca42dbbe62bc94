"""The story of a purchase's money: each side reads what concerns it, and what it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from services.payments import ledger
from services.payments.domain.telling import STORY, Reader, Whose
from services.payments.domain.timeline import Posted, held, tell, totals
from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Paid, Part, line
from shared.ids import new_id
from shared.money import Money
from tests.payments.conftest import NOON
from tests.payments.ledger_page import postings

ORDER, SESSION, MENTOR, REFUND = new_id(), new_id(), new_id(), new_id()
PART = Part(ORDER, SESSION, ORDER)
BORNE = "Stripe kept its fee; the mentor's share bears it, as far as it reaches."
OF_NO_PURCHASE = {"moved_outside", "billed", "by_hand", "debt_written_off"}
"""What Stripe's balance does on behalf of no purchase, and what mentors are let off."""


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def posted(entries: Sequence[Entry]) -> list[Posted]:
    """Return the lines of entries as they are read again."""
    return [
        Posted(each.kind, each.happened_at, one.account.value, one.minor, one.currency)
        for each in entries
        for one in each.lines
    ]


def life() -> list[Entry]:
    """Return a session of 100 with 10 off, sent to the mentor, half refunded, then reversed."""
    nothing = usd(0)
    return [
        ledger.purchases.payment({PART: Paid(usd(9_000), usd(1_000))}, NOON),
        ledger.purchases.stripe_fee(ORDER, usd(300), NOON),
        ledger.earnings.release(PART, MENTOR, usd(8_500), usd(1_500), NOON),
        ledger.earnings.transfer(PART, ORDER, MENTOR, usd(8_500), NOON),
        ledger.recovery.moved(
            f"refund_planned:{REFUND}",
            PART,
            MENTOR,
            (nothing, nothing, usd(4_250), usd(750), nothing),
            line(Account.REFUNDS_IN_TRANSIT, usd(-4_500), PART),
            line(Account.PROMOTIONS, usd(-500), PART),
            at=NOON,
        ),
        ledger.refunds.refund_settled(PART, REFUND, usd(4_500), NOON),
        ledger.recovery.reversal(PART, new_id(), MENTOR, usd(4_250), NOON),
    ]


def kept(platform_minor: int) -> list[Entry]:
    """Return a session of 90 for which Stripe kept 3, and the platform so much."""
    mentor = usd(9_000 - platform_minor)
    return [
        ledger.purchases.payment({PART: Paid(usd(9_000), usd(0))}, NOON),
        ledger.purchases.stripe_fee(ORDER, usd(300), NOON),
        ledger.earnings.release(PART, MENTOR, mentor, usd(platform_minor), NOON),
    ]


def told(reader: Reader) -> dict[Whose, int]:
    """Return what the story comes to for whom, as a reader sees it."""
    return {each.whose: each.amount_minor for each in totals(tell(posted(life()), [], reader))}


def test_what_was_paid_is_what_people_have() -> None:
    """The mentee's 45 are the mentor's 42.50 and the platform's, which bears code and fee."""
    assert told(Reader.OPERATOR) == {
        Whose.MENTEE: 4_500, Whose.MENTOR: 4_250, Whose.PLATFORM: 750 - 500 - 300,
    }  # fmt: skip
    assert told(Reader.MENTOR)[Whose.MENTOR] == 4_250
    assert told(Reader.MENTEE) == {Whose.MENTEE: 4_500}


def test_what_a_mentor_reads_adds_up_after_every_step() -> None:
    """What was paid is always what mentor and platform have and what nobody has yet."""
    for steps in range(1, len(life()) + 1):
        lines = posted(life()[:steps])
        sums = Counter[Whose]()
        for each in (*totals(tell(lines, [], Reader.MENTOR)), *held(lines)):
            sums[each.whose] += each.amount_minor
        assert sums.pop(Whose.MENTEE) == sums.total(), steps


def test_an_amount_is_negative_for_whom_it_leaves() -> None:
    """A refund takes from what the mentee paid, and its share from what the mentor has."""
    story = tell(posted(life()), [], Reader.MENTOR)
    changes = [(each.kind, each.whose and each.whose.value, each.change_minor) for each in story]
    assert ("refund", "mentee", -4_500) in changes
    assert ("debt_changed", "mentor", -4_250) in changes
    assert ("platform_fee", "platform", -750) in changes
    assert ("transfer", None, 0) in changes
    assert ("reversal", None, 0) in changes
    assert all(each.amount_minor > 0 for each in story)


@pytest.mark.parametrize(
    ("bears", "mentors"),
    [
        (True, [(300, 0, BORNE), (1_800, 1_800, "The platform kept its share, and Stripe's fee.")]),
        (False, [(1_800, 1_800, "The platform kept its share.")]),
    ],
)
def test_who_bears_stripes_fee_is_told(bears: bool, mentors: list[tuple[int, int, str]]) -> None:
    """A mentor who bears it reads what it is and where it went; to operators it is the cost."""
    kinds = ("stripe_fee", "platform_fee")
    lines = posted(kept(1_800))
    story = tell(lines, [], Reader.MENTOR, mentor_bears=bears)
    found = [(each.amount_minor, each.change_minor, each.words) for each in story]
    assert [each for each, one in zip(found, story, strict=True) if one.kind in kinds] == mentors
    sums = {each.whose: each.amount_minor for each in totals(story)}
    assert sums == {Whose.MENTEE: 9_000, Whose.MENTOR: 7_200, Whose.PLATFORM: 1_800}
    story = tell(lines, [], Reader.OPERATOR, mentor_bears=bears)
    (fee,) = [each for each in story if each.kind == "stripe_fee"]
    words = BORNE if bears else "Stripe kept its fee; the platform bears it."
    assert (fee.change_minor, fee.words) == (-300, words)
    assert {each.whose: each.amount_minor for each in totals(story)}[Whose.PLATFORM] == 1_500
    assert not {each.kind for each in tell(lines, [], Reader.MENTEE, mentor_bears=bears)} & {*kinds}


def test_a_mentee_reads_nothing_of_shares() -> None:
    """What the mentor has and owes is between mentor and platform."""
    assert {each.kind for each in tell(posted(life()), [], Reader.MENTEE)} == {
        "charge", "promotion", "refund", "refund_sent",
    }  # fmt: skip


def test_no_posting_about_a_purchase_is_passed_over() -> None:
    """Operators read of every event that moves money of a purchase; a new one has words too."""
    made = [each for found in postings().values() for each in found]
    silent = [
        each.name
        for each in made
        if each.name not in {*OF_NO_PURCHASE, "moved"}
        and not any(
            (each.name, account) in STORY
            for account in Account
            if account.value in {name for name, _ in (*each.debits, *each.credits)}
        )
    ]
    assert silent == []
