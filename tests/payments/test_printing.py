"""What stands on paper, read back from the file: every line, every letter, sums that add up."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.payments.domain.documents import Content, Document, Item, Series
from services.payments.domain.printing import OTHER_LETTERS, receipt_pdf, statement_pdf
from services.payments.domain.statements import Month, Movement, PaidOut, Period, Statement
from shared.ids import new_id

NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)
LONG = "Softwarearchitektur, Führung und die Kunst, Nein zu sagen, in vielen kleinen Schritten " * 3
STREAMS = re.compile(rb"stream\n(.*?)\nendstream", re.DOTALL)
SHOWN = re.compile(rb"/F(\d) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", re.DOTALL)
ESCAPED = {b"\\r": b"\r", b"\\\\": b"\\", b"\\(": b"(", b"\\)": b")"}


def read_pdf(file: bytes) -> str:
    """Return the words of a file as our printer writes it; lines that were broken are joined."""
    pages: list[bytes] = []
    fonts: list[dict[int, str]] = []
    for stream in STREAMS.findall(file):
        if b"begincmap" in stream:
            pairs = re.findall(rb"<(\w{4})> <(\w+)>", stream.partition(b"beginbfchar")[2])
            fonts.append(
                {
                    int(code, 16): bytes.fromhex(to.decode()).decode("utf-16-be")
                    for code, to in pairs
                }
            )
        elif b" Tf" in (page := zlib.decompress(stream)):
            pages.append(page)
    return " ".join(" ".join(_words(page, fonts) for page in pages).split())


def _words(page: bytes, fonts: list[dict[int, str]]) -> str:
    font, said = fonts[0], list[str]()
    for number, shown in SHOWN.findall(page):
        if number:
            font = fonts[int(number) - 1]
            continue
        codes = re.sub(rb"\\[r\\()]", lambda found: ESCAPED[found[0]], shown)
        said.append("".join(font[code] for (code,) in _twos(codes)))
    return " ".join(said)


def _twos(codes: bytes) -> list[tuple[int]]:
    return [(int.from_bytes(codes[at : at + 2]),) for at in range(0, len(codes), 2)]


def paper(*items: Item, currency: str = "USD", series: Series = Series.RECEIPT) -> str:
    """Return the words of a receipt or a credit note."""
    content = Content(
        order_id=new_id(),
        mentor_id=new_id(),
        title="Career talk",
        kind="sessions",
        items=items,
        amount_minor=sum(item.amount_minor for item in items),
        currency=currency,
        happened_at=NOON,
    )
    return read_pdf(
        receipt_pdf(Document(new_id(), series, 2030, 1, new_id(), new_id(), NOON, content))
    )


def stated(currency: str, *movements: Movement, payouts: tuple[PaidOut, ...] = ()) -> str:
    """Return the words of a statement."""
    closing = sum(each.amount_minor for each in movements)
    period = Period(NOON, NOON + timedelta(days=31))
    month = Month(movements=movements, payouts=payouts)
    made = Statement(new_id(), new_id(), currency, period, 0, closing, NOON, month)
    return read_pdf(statement_pdf(made))


def movement(amount_minor: int, title: str, session_id: UUID | None = None) -> Movement:
    """Return what a bank took, or a share."""
    return Movement(
        at=NOON,
        topic="earned" if amount_minor > 0 else "given_back",
        words="Share of a session",
        order_id=new_id(),
        session_id=session_id or new_id(),
        title=title,
        amount_minor=amount_minor,
    )


@pytest.mark.parametrize("series", list(Series))
def test_every_line_of_many_pages_is_on_paper(series: Series) -> None:
    """A long series fills pages; each says which of how many it is, and long titles are whole."""
    items = [Item(words=f"Part {place}: {LONG}", amount_minor=place) for place in range(1, 41)]
    words = paper(*items, series=series)
    for place in range(1, 41):
        assert f"Part {place}: {LONG.strip()} 0.{place:02}" in words
    assert "8.20 USD" in words
    assert re.search(r"page 2 of ([4-9])\b", words)


@pytest.mark.parametrize(
    ("currency", "minor", "printed"),
    [
        ("USD", 1_234_567_890, "12,345,678.90"),
        ("JPY", 1_234_567_890, "1,234,567,890"),
        ("KWD", 1_234_567_890, "1,234,567.890"),
    ],
)
def test_large_amounts_are_grouped_and_whole(currency: str, minor: int, printed: str) -> None:
    """Ten digits in each currency's own places, with a sign before what goes, on one line."""
    assert f"{printed} {currency}" in paper(
        Item(words="Talk", amount_minor=minor), currency=currency
    )
    payout = PaidOut(
        payout_id="po_1", created_at=NOON, arrives_at=NOON, ended_at=NOON, state="failed",
        amount_minor=minor, returned=True,
    )  # fmt: skip
    said = stated(currency, movement(minor, "A"), movement(-2 * minor, "B"), payouts=(payout,))
    assert f"Balance at the end of the month \N{MINUS SIGN}{printed} {currency}" in said
    assert f"Payout of {printed} returned by the bank" in said


@pytest.mark.parametrize(
    "title", ["جلسة إرشاد مهني", "キャリア相談 60", "한국어 멘토링", "सत्र", "🚀"]
)
def test_no_line_is_empty_whose_letters_the_paper_lacks(title: str) -> None:
    """A session in other letters is named by its number, and the paper says why."""
    session = new_id()
    for words in (
        paper(Item(words=title, amount_minor=100, session_id=session)),
        stated("USD", movement(100, title, session)),
    ):
        assert f"Session{session}" in words.replace(" ", "")
        assert OTHER_LETTERS in words


@pytest.mark.parametrize("title", ["Xin chào Việt Nam", "Привет, Ελλάδα", "Cafe\u0301"])
def test_what_the_paper_has_letters_for_stays(title: str) -> None:
    """Latin, Greek and Cyrillic are written as they are; only signs like emoji are left out."""
    words = paper(Item(words=f"{title} 🚀\ufe0f", amount_minor=100))
    assert title.replace("e\u0301", "é") in words
    assert OTHER_LETTERS not in words


def test_a_month_in_which_nothing_was_sold_is_a_paper_too() -> None:
    """It says that the balance did not move, and has no table of nothing."""
    words = stated("JPY")
    assert "Balance at the end of the month 0 JPY" in words
    assert "What moved" not in words
