"""Where a purchase stands between a picked time and a confirmed session, in plain words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from web.display import code_refusal, money
from web.price_shapes import Checkout
from web.shapes import Order

PAID = "paid"
SHOWN_FORM = re.compile(r"([A-Z]{3})([0-9]{1,12})", re.ASCII)


@dataclass(frozen=True)
class Shown:
    """What a summary showed as to be paid when its button was pressed."""

    currency: str
    minor: int

    @staticmethod
    def read(text: str) -> Shown | None:
        """Return what stands in a form or an address, if it is an amount."""
        found = SHOWN_FORM.fullmatch(text)
        return Shown(found[1], int(found[2])) if found else None

    def __str__(self) -> str:
        """Return it as it stands in a form or an address."""
        return f"{self.currency}{self.minor}"


@dataclass(frozen=True)
class Progress:
    """What to say about a purchase. `waiting`: it will change by itself, so look again."""

    name: str
    heading: str
    words: str
    waiting: bool = False
    payment_url: str | None = None
    may_release: bool = False
    hold_until: datetime | None = None


_ENDS = {
    "confirmed": Progress(
        "confirmed",
        "Your session is confirmed",
        "The payment arrived. Both of you get an invitation by mail.",
    ),
    "free": Progress(
        "confirmed",
        "Your session is confirmed",
        "There is nothing to pay. Both of you get an invitation by mail.",
    ),
    "completed": Progress("completed", "This session is over", "It took place and is paid."),
    "expired": Progress(
        "expired",
        "The time was not paid in time",
        "It is free again for everybody, and nothing was charged. Should a payment still arrive,"
        " the session is confirmed if the time is free, and refunded in full if it is not.",
    ),
    "lost": Progress(
        "lost",
        "The payment came too late",
        "The time is no longer available. Your money goes back in full, to the card you paid with.",
    ),
    "declined": Progress(
        "declined", "This request was declined", "Nothing was charged. Another time may suit."
    ),
    "lapsed": Progress(
        "lapsed",
        "There was no answer in time",
        "Nothing was charged, and the time is free again.",
    ),
    "no_show": Progress(
        "no_show", "Somebody did not come", "See the session for what goes back to you."
    ),
    "cancelled": Progress(
        "cancelled", "This session was cancelled", "See the session for what goes back to you."
    ),
}
_PAID = Progress(
    "paid", "Your payment arrived", "We are confirming the session. This takes a moment.", True
)
_NOTHING_LEFT = Progress(
    "paid", "There is nothing left to pay", "We are confirming the session. A moment.", True
)
_PREPARING = Progress(
    "preparing",
    "The payment page is being prepared",
    "The time is kept for you. This takes a moment.",
    waiting=True,
    may_release=True,
)
_CLOSED = Progress(
    "closed", "The payment page is closed", "The time is about to be free again.", waiting=True
)


def progress(
    order: Order, checkout: Checkout | None, shown: Shown | None = None, *, returned: bool
) -> Progress:
    """Return where a purchase stands.

    `checkout` is nothing while `payments` is away or has not heard of the order yet; `returned`
    says that the mentee came back from the payment page, and has seen there what is to be paid.
    """
    if order.state == "confirmed" and not order.price_minor:
        return _ENDS["free"]
    if order.state != "held":
        return _ENDS.get(order.state, _ENDS["cancelled"])
    if checkout is None or checkout.state == "being_prepared":
        return _PREPARING
    if checkout.state == PAID:
        return _PAID if checkout.to_pay_minor != 0 else _NOTHING_LEFT
    if checkout.state != "open" or not checkout.url:
        return _CLOSED
    if not returned and (checkout.promotion_refused or _is_more(checkout, shown)):
        return _dearer(order, checkout, shown)
    return Progress(
        "returned" if returned else "open",
        "We have not seen your payment yet" if returned else "The payment page is ready",
        "If you have paid, it shows here in a moment. If not, the time is still kept for you."
        if returned
        else "You pay on Stripe’s page; we never see your card.",
        waiting=True,
        payment_url=checkout.url,
        may_release=True,
        hold_until=order.hold_until,
    )


def _is_more(checkout: Checkout, shown: Shown | None) -> bool:
    if shown is None or checkout.to_pay_minor is None:
        return False
    return checkout.currency != shown.currency or checkout.to_pay_minor > shown.minor


def _dearer(order: Order, checkout: Checkout, shown: Shown | None) -> Progress:
    """Say what is to be paid before anybody pays more; the page does not lead on by itself."""
    said = [code_refusal(checkout.promotion_refused)] if checkout.promotion_refused else []
    if shown and _is_more(checkout, shown):
        now = money(checkout.to_pay_minor or 0, checkout.currency)
        before = money(shown.minor, shown.currency) if shown.minor else "nothing to pay"
        said.append(f"It costs {now} now; you were shown {before}.")
    said.append("You can pay it on Stripe’s page, or give the time back.")
    return Progress(
        "dearer",
        "Your code was not taken" if checkout.promotion_refused else "It costs more than before",
        " ".join(said),
        payment_url=checkout.url,
        may_release=True,
        hold_until=order.hold_until,
    )
