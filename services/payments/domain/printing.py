"""Receipts, credit notes and statements on paper (A4, PDF). Pure: the same content, the same bytes.

The fonts are embedded, in the parts that are used; DejaVu Sans has the letters of Latin, Greek and
Cyrillic. What somebody titled in other letters is named by its number, as its pages show both.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import UUID

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from services.payments.domain.documents import Document, Series
from services.payments.domain.statements import Movement, Statement, Topic
from services.payments.domain.tables import of_payout, plain

FONTS = Path(__file__).parents[1] / "templates" / "fonts"
INK, QUIET, ACCENT, SHADE = (30, 34, 42), (104, 110, 122), (36, 92, 78), (243, 245, 244)
MARGIN_MM = 20
HEADING_MM = 30
"""What a heading needs below it, lest it stand alone at the end of a page."""
SELLER = "Mentorium"
OTHER_LETTERS = (
    "What is titled in letters that this paper does not have is named by its number; "
    "our pages show the title."
)
AMENDS = "Amends for a session that did not take place"
WORDS: dict[Topic, str] = {
    "earned": "Earned with sessions",
    "given_back": "Given back to mentees",
    "sent": "Sent to your Stripe account",
    "came_back": "Taken back from your Stripe account",
    "written_off": "Written off of what you owed",
    "kept": "Kept for what you owed",
}


class _Paper(FPDF):
    """A page with our name above and a number below."""

    def __init__(self, name: str, at: datetime) -> None:
        super().__init__(format="A4")
        self._name, self._lacks_letters = name, False
        self.set_creation_date(at)
        self.set_title(f"{SELLER} {name}")
        self.set_lang("en")
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM)
        self.add_font("sans", "", FONTS / "DejaVuSansCondensed.ttf")
        self.add_font("sans", "B", FONTS / "DejaVuSansCondensed-Bold.ttf")
        self.add_page()

    def header(self) -> None:
        """Write whose paper it is."""
        self.write_line(SELLER, size=11, bold=True, ink=ACCENT)
        self.ln(6)

    def footer(self) -> None:
        """Write which paper and page it is."""
        self.set_y(-MARGIN_MM + 4)
        self.write_line(f"{self._name} · page {self.page_no()} of {{nb}}", size=8, ink=QUIET)

    def write_line(
        self,
        words: str,
        *,
        size: float = 10,
        bold: bool = False,
        ink: tuple[int, int, int] = INK,
    ) -> None:
        """Write a paragraph."""
        self.set_font("sans", "B" if bold else "", size)
        self.set_text_color(*ink)
        self.multi_cell(0, size * 0.5, words, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def write_heading(self, words: str) -> None:
        """Write what the table below is of, on the page where that begins."""
        if self.will_page_break(HEADING_MM):
            self.add_page()
        self.write_line(words, size=12, bold=True)
        self.ln(2)

    def write_end(self, words: str) -> None:
        """Write what is said below all tables."""
        for each in (words, OTHER_LETTERS) if self._lacks_letters else (words,):
            self.write_line(each, size=8, ink=QUIET)

    def legible(self, words: str, number: str) -> str:
        """Return words without signs that the font lacks; a `number` where it lacks letters."""
        letters = cast("TTFFont", self.fonts["sans"]).cmap
        whole = unicodedata.normalize("NFC", words)
        known = "".join(each for each in whole if ord(each) in letters)
        if known.strip() and sum(map(str.isalpha, known)) == sum(map(str.isalpha, whole)):
            return " ".join(known.split())
        self._lacks_letters = True
        return number

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Write names with what they are."""
        for name, said in rows:
            self.set_font("sans", "", 9)
            self.set_text_color(*QUIET)
            self.cell(38, 5.5, name)
            self.set_text_color(*INK)
            self.multi_cell(0, 5.5, said, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(4)

    def amounts(
        self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: tuple[int, ...], last: int
    ) -> None:
        """Write a table whose last column is a number; the `last` rows are sums."""
        self.set_font("sans", "", 9)
        self.set_text_color(*INK)
        self.set_draw_color(210, 214, 212)
        with self.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            col_widths=widths,
            headings_style=FontFace(emphasis="BOLD", color=QUIET, fill_color=SHADE),
            line_height=5.2,
            padding=(1.2, 1),
            text_align=("LEFT",) * (len(head) - 1) + ("RIGHT",),
        ) as table:
            table.row(head)
            for place, row in enumerate(rows):
                sums = place >= len(rows) - last
                table.row(row, style=FontFace(emphasis="BOLD") if sums else None)
        self.ln(6)

    def finished(self) -> bytes:
        """Return the file."""
        return bytes(self.output())


def receipt_pdf(document: Document) -> bytes:
    """Return a receipt or a credit note as it is printed."""
    content, credit = document.content, document.series is Series.CREDIT_NOTE
    paper = _Paper(document.name, document.issued_at)
    paper.write_line("Credit note" if credit else "Receipt", size=22, bold=True)
    paper.ln(3)
    facts = [
        ("Number", document.name),
        ("Issued on", _day(document.issued_at)),
        ("Refunded on" if credit else "Paid on", _day(content.happened_at)),
        ("Issued to", f"Account {document.person_id}"),
        ("Purchase", str(content.order_id)),
    ]
    if content.receipt:
        facts.append(("For receipt", content.receipt))
    if content.reason:
        facts.append(("Reason", content.reason))
    paper.facts(facts)
    rows = [
        (
            paper.legible(item.words, _number(item.session_id, content.order_id)),
            _money(item.amount_minor, content.currency),
        )
        for item in content.items
    ]
    if content.discount_minor:
        words = AMENDS if content.amends else "Promotion code"
        rows.append((words, _money(-content.discount_minor, content.currency)))
    if content.credits_minor:
        rows.append(("Paid with credits", _money(-content.credits_minor, content.currency)))
    total = "Goes back to your card" if credit else "Paid by card"
    rows.append((total, _money(content.amount_minor, content.currency)))
    paper.amounts(("What", "Amount"), rows, (75, 25), 1)
    paper.write_end("Amounts include all taxes. Keep this for your records.")
    return paper.finished()


def statement_pdf(statement: Statement) -> bytes:
    """Return a mentor's statement as it is printed."""
    name = f"Statement {statement.period.since:%Y-%m} {statement.currency}"
    paper = _Paper(name, statement.made_at)
    paper.write_line(f"Statement of {statement.period.since:%B %Y}", size=22, bold=True)
    paper.ln(3)
    paper.facts(
        [
            ("Period", f"{_day(statement.period.since)} to the end of the month, in UTC"),
            ("Currency", statement.currency),
            ("Mentor", f"Account {statement.mentor_id}"),
            ("Made on", _day(statement.made_at)),
        ]
    )
    paper.amounts(("Summary", "Amount"), _summary(statement), (75, 25), 1)
    if statement.month.movements:
        paper.write_heading("What moved your balance")
        head = ("Day", "What", "Session", "Price / fees", "Amount")
        paper.amounts(head, _movements(paper, statement), (10, 23, 27, 23, 17), 0)
    if statement.month.payouts:
        paper.write_heading("What Stripe paid out to your bank")
        paper.amounts(("Day", "Payout", "Amount"), _payouts(statement), (15, 65, 20), 0)
    paper.write_end(
        "Your balance is what was released to you and is not sent to your Stripe account yet, "
        "less what you owe back."
    )
    return paper.finished()


def _summary(statement: Statement) -> list[tuple[str, str]]:
    currency = statement.currency
    rows = [("Balance when the month began", _money(statement.opening_minor, currency))]
    for topic, words in WORDS.items():
        if topic != "kept" and (total := statement.total(topic)):
            rows.append((words, _money(total, currency)))
    if statement.kept_minor:
        kept = _money(statement.kept_minor, currency)
        rows.append((f"{WORDS['kept']}: {kept}, which changes no balance", _money(0, currency)))
    rows.append(("Balance at the end of the month", _money(statement.closing_minor, currency)))
    return rows


def _movements(paper: _Paper, statement: Statement) -> list[tuple[str, ...]]:
    currency = statement.currency
    return [
        (
            f"{each.at:%d %b}",
            each.words,
            paper.legible(each.title, _number(each.session_id, each.order_id))
            if each.title
            else "",
            _price_and_fee(each, currency),
            _signed(each.amount_minor, currency)
            if each.topic != "kept"
            else f"({_grouped(each.kept_minor, currency)})",
        )
        for each in statement.month.movements
    ]


def _price_and_fee(movement: Movement, currency: str) -> str:
    if movement.price_minor is None:
        return ""
    price, back = _grouped(movement.price_minor, currency), movement.given_back_minor
    if back:
        price = f"{price} less {_grouped(back, currency)} given back"
    return f"{price} / {_grouped(movement.fee_minor or 0, currency)}"


def _payouts(statement: Statement) -> list[tuple[str, ...]]:
    currency = statement.currency
    return [
        (
            f"{each.ended_at:%d %b}",
            of_payout(each, _grouped(each.amount_minor, currency)),
            _signed(each.paid_minor, currency),
        )
        for each in statement.month.payouts
    ]


def _number(session_id: UUID | None, order_id: UUID | None) -> str:
    return f"Session {session_id}" if session_id else f"Purchase {order_id}"


def _day(at: datetime) -> str:
    local = at.astimezone(UTC)
    return f"{local.day} {local:%B %Y}"


def _money(minor: int, currency: str) -> str:
    return f"{_signed(minor, currency)} {currency}"


def _signed(minor: int, currency: str) -> str:
    return _grouped(minor, currency).replace("-", "\N{MINUS SIGN}")


def _grouped(minor: int, currency: str) -> str:
    return f"{Decimal(plain(minor, currency)):,}"
