"""docs/ledger.md says what the code posts."""

from __future__ import annotations

from services.payments.ledger.chart import Account
from tests.payments.ledger_page import PAGE, accounts, movers, page, postings


def test_the_page_of_the_ledger_is_what_the_code_posts() -> None:
    """The chart with its words and every posting; renew it with the command it names."""
    assert PAGE.read_text() == page(), "run: python -m tests.payments.ledger_page"


def test_every_account_and_every_posting_is_explained() -> None:
    """Each account has words, each posting a cause of its own, a debit and a credit."""
    assert set(accounts()) == set(Account)
    made = [posting for each in postings().values() for posting in each]
    assert len(made) > 10
    for posting in made:
        assert posting.words, posting
        assert ":" in posting.cause, posting
        assert posting.debits, posting
        assert posting.credits, posting
        assert all(amount for _, amount in (*posting.debits, *posting.credits)), posting


def test_every_account_is_moved_by_a_posting() -> None:
    """One that nothing moves would promise a balance that is always zero."""
    assert {account.value for account in Account} - set(movers()) == set()


def test_amounts_are_told_apart() -> None:
    """The control: a release divides what is retained into two named shares."""
    (release,) = [each for made in postings().values() for each in made if each.name == "release"]
    assert release.debits == (("session_clearing", "mentor + platform"),)
    assert release.credits == (("mentor_payable", "mentor"), ("platform_revenue", "platform"))
