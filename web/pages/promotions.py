"""What is taken off and what is taken: promotion codes of mentors and operators, and fee rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from aiohttp import web

from shared.money import CURRENCIES
from web.client import Refused, Service, wrong_fields
from web.forms import Form, as_day, as_whole, midnight
from web.pages.mentors import instant_text
from web.pages.offerings import COMMON_CURRENCIES
from web.pages.pricing import CODE_FORM
from web.price_shapes import FeeRule, Minimum, MyFees, Promotion, Tier
from web.routes import ID, Row, do, see
from web.shapes import Offering, Page
from web.visit import Visit

CODES_SHOWN = 50
USES_MOST = 1_000_000
PERCENT_MOST = 100
BASIS_POINTS = 100
HUNDREDTHS_DIGITS = 2
REASON_LONGEST = 500
TIERS_SHOWN = 4
ONE_DAY, LAST = timedelta(days=1), timedelta(seconds=1)
"""A code is good to the end of its last day, on the clock of who makes it."""
MINE, ALL = "/v1/me/promotions", "/v1/operator/promotions"
FEES = "/v1/operator/fees"


def currencies() -> list[tuple[str, str]]:
    """Return the currencies to choose from, the common ones first."""
    rest = sorted(CURRENCIES - set(COMMON_CURRENCIES))
    return [(code, code) for code in (*COMMON_CURRENCIES, *rest)]


async def mine(visit: Visit) -> web.Response:
    """Show a mentor what the platform takes, and the mentor's codes."""
    found = await visit.read(Service.PAYMENTS, MINE, Page[Promotion], limit=CODES_SHOWN)
    offered = await visit.try_read(Service.BOOKING, "/v1/me/offerings", Page[Offering], limit=100)
    offerings = offered.items if offered else []
    currency = offerings[0].currency if offerings else "USD"
    fees = await visit.read(Service.PAYMENTS, "/v1/me/fees", MyFees, currency=currency)
    return visit.page(
        "mentor_prices.html",
        codes=found.items,
        fees=fees,
        offerings=offerings,
        currency=currency,
    )


async def make_mine(visit: Visit) -> web.Response:
    """Make a code for one's own offerings."""
    offering_id = visit.form.text("offering_id")
    body = _described(visit) | ({"offering_id": offering_id} if offering_id else {})
    await visit.send(Service.PAYMENTS, "POST", MINE, body)
    return visit.go("/mentor/prices", "The code can be used from now on.")


async def turn_mine(visit: Visit) -> web.Response:
    """Pause one's code, or let it go on."""
    verb = visit.part("verb")
    path = f"{MINE}/{visit.part('promotion_id')}/{verb}"
    await visit.send(Service.PAYMENTS, "POST", path)
    return visit.go("/mentor/prices", _TURNED[verb])


async def codes(visit: Visit) -> web.Response:
    """Show operators all codes."""
    found = await visit.read(
        Service.PAYMENTS, ALL, Page[Promotion], limit=CODES_SHOWN, cursor=visit.query("cursor")
    )
    return visit.page("operator_codes.html", found=found, currencies=currencies())


async def make(visit: Visit) -> web.Response:
    """Make a code that the platform pays for."""
    body = _described(visit) | {"reason": _reason(visit, "make")}
    await visit.send(Service.PAYMENTS, "POST", ALL, body)
    return visit.go("/operator/codes", "The code can be used from now on.")


async def turn(visit: Visit) -> web.Response:
    """Pause any code, or let it go on."""
    verb, promotion_id = visit.part("verb"), visit.part("promotion_id")
    body = {"reason": _reason(visit, promotion_id)}
    await visit.send(Service.PAYMENTS, "POST", f"{ALL}/{promotion_id}/{verb}", body)
    return visit.go("/operator/codes", _TURNED[verb])


_TURNED = {
    "pause": "The code is paused. Purchases that began with it keep what it takes off.",
    "resume": "The code can be used again.",
}


async def fees(visit: Visit) -> web.Response:
    """Show the rule for everybody, or for one mentor, to change it."""
    mentor_id = visit.form.text("mentor_id") or visit.query("mentor")
    try:
        rule = await visit.read(Service.PAYMENTS, FEES, FeeRule, mentor_id=mentor_id)
    except Refused:
        raise wrong_fields(mentor_id="Write the id of a mentor.") from None
    own = await visit.read(Service.PAYMENTS, f"{FEES}/mentors", Page[FeeRule], limit=CODES_SHOWN)
    return visit.page(
        "operator_fees.html",
        rule=rule,
        own=own.items,
        mentor_id=mentor_id,
        tiers=_lines(rule.tiers),
        minimums="\n".join(_minimum_line(each) for each in rule.minimums),
        instead_of=rule.version,
    )


async def set_fees(visit: Visit) -> web.Response:
    """Make a rule in place of the one that was shown."""
    form, mentor_id = visit.form, visit.form.text("mentor_id")
    body: dict[str, object] = {
        "share_basis_points": _points(form, "share"),
        "tiers": [_tier(line) for line in form.text("tiers").splitlines() if line.strip()],
        "minimums": [_minimum(line) for line in form.text("minimums").splitlines() if line.strip()],
        "stripe_fee": "mentor" if form.text("stripe_fee") == "mentor" else "platform",
        "reason": _reason(visit, "fees"),
        "instead_of": as_whole(form.text("instead_of")),
        "mentor_id": mentor_id or None,
    }
    await visit.send(Service.PAYMENTS, "POST", FEES, body)
    return visit.go(_fees_page(mentor_id), "The rule holds for what is bought from now on.")


async def end_own_fees(visit: Visit) -> web.Response:
    """Let the rule for everybody hold for a mentor again."""
    mentor_id = visit.part("mentor_id")
    body = {"reason": _reason(visit, "end")}
    await visit.send(Service.PAYMENTS, "POST", f"{FEES}/mentors/{mentor_id}/end", body)
    return visit.go("/operator/fees", "The rule for everybody holds for this mentor again.")


def _fees_page(mentor_id: str) -> str:
    return f"/operator/fees?mentor={mentor_id}" if mentor_id else "/operator/fees"


def _described(visit: Visit) -> dict[str, object]:
    form = visit.form
    code = form.text("code").upper()
    if not CODE_FORM.match(code):
        raise wrong_fields(code="Use 3 to 24 letters, digits and hyphens.")
    starts, ends = as_day(form.day("starts_on") or ""), as_day(form.day("ends_on") or "")
    return {
        "code": code,
        **_off(form),
        "at_most": form.whole_if_any("at_most", least=1, most=USES_MOST),
        "per_person": form.whole_if_any("per_person", least=1, most=USES_MOST),
        "first_purchase_only": form.text("first_purchase_only") == "yes",
        "starts_at": instant_text(midnight(starts, visit.zone)) if starts else None,
        "ends_at": instant_text(midnight(ends + ONE_DAY, visit.zone) - LAST) if ends else None,
    }


def _off(form: Form) -> Mapping[str, object]:
    """Return what is taken off: a percentage, or else an amount in a currency."""
    if form.text("percent"):
        percent = form.whole("percent", least=1, most=PERCENT_MOST)
        return {"percent_basis_points": percent * BASIS_POINTS}
    currency = form.text("currency")
    if currency not in CURRENCIES or not form.text("amount"):
        raise wrong_fields(percent="Write a percentage, or an amount below.")
    return {"amount_minor": form.minor("amount", currency), "currency": currency}


def _points(form: Form, name: str) -> int:
    """Return a percentage such as `12.5` in basis points; raises `Refused`."""
    points = _as_points(form.text(name))
    if points is None:
        raise wrong_fields(**{name: "Write a percentage from 0 to 100, like 12.5."})
    return points


def _as_points(text: str) -> int | None:
    whole, _, rest = text.strip().rstrip("%").strip().partition(".")
    percent, hundredths = as_whole(whole), as_whole(f"{rest:0<2}")
    if percent is None or hundredths is None or len(rest) > HUNDREDTHS_DIGITS:
        return None
    points = percent * BASIS_POINTS + hundredths
    return points if points <= PERCENT_MOST * BASIS_POINTS else None


def _lines(tiers: list[Tier]) -> str:
    return "\n".join(
        f"{tier.currency} {tier.from_minor} {tier.share_basis_points / BASIS_POINTS:g}"
        for tier in tiers
    )


def _minimum_line(minimum: Minimum) -> str:
    return f"{minimum.currency} {minimum.minimum_minor}"


def _tier(line: str) -> Mapping[str, object]:
    match line.split():
        case [currency, amount, share] if (
            currency in CURRENCIES
            and (least := as_whole(amount)) is not None
            and (points := _as_points(share)) is not None
        ):
            return {
                "currency": currency,
                "from_minor": least,
                "share_basis_points": points,
            }
        case _:
            raise wrong_fields(tiers="Write a tier a line, like USD 100000 12.5.")


def _minimum(line: str) -> Mapping[str, object]:
    match line.split():
        case [currency, amount] if (
            currency in CURRENCIES and (least := as_whole(amount)) is not None
        ):
            return {"currency": currency, "minimum_minor": least}
        case _:
            raise wrong_fields(minimums="Write a minimum a line, like USD 100.")


def _reason(visit: Visit, name: str) -> str:
    reason = visit.form.text("reason")
    if not reason or len(reason) > REASON_LONGEST:
        raise wrong_fields(**{f"reason_{name}": "Say why, shortly: it is logged."})
    return reason


_VERBS = "{verb:pause|resume}"
ROUTES: tuple[Row, ...] = (
    see("/mentor/prices", mine),
    do("/mentor/prices", make_mine, mine),
    do(f"/mentor/prices/{{promotion_id:{ID}}}/{_VERBS}", turn_mine, mine),
    see("/operator/codes", codes),
    do("/operator/codes", make, codes),
    do(f"/operator/codes/{{promotion_id:{ID}}}/{_VERBS}", turn, codes),
    see("/operator/fees", fees),
    do("/operator/fees", set_fees, fees),
    do(f"/operator/fees/{{mentor_id:{ID}}}/end", end_own_fees, fees),
)
