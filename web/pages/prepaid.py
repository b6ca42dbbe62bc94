"""Sessions paid in advance: buying a package or a gift, one's credits, and what was bought."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

from shared.money import MAX_MINOR_OF_ALL
from web.book_shapes import MoneyStory
from web.client import Away, Refused, Service, wrong_fields
from web.pages.holding import looks_like_id
from web.pages.people import names_of
from web.prepaid_shapes import Amends, Bought, Credits, GiftCode, Lot, Package
from web.price_shapes import Checkout
from web.routes import ID, Row, do, see
from web.shapes import Mentor, Offering, Page
from web.visit import Visit

NO_CONTENT = 204
PURCHASES_SHOWN = 30
SESSIONS_MOST = 50


async def package(visit: Visit) -> web.Response:
    """Show what a package costs and how it works, before it is bought."""
    path = f"/v1/packages/{visit.part('package_id')}"
    found = await visit.read(Service.PAYMENTS, path, Package)
    mentor = await visit.try_read(Service.PROFILES, f"/v1/mentors/{found.mentor_id}", Mentor)
    return visit.page("package.html", package=found, mentor=mentor)


async def buy(visit: Visit) -> web.Response:
    """Begin to buy a package, for oneself or as a gift."""
    path = f"/v1/packages/{visit.part('package_id')}/purchases"
    body = {"as_gift": visit.form.text("as") == "gift"}
    return await _begin(visit, path, body)


async def give_form(visit: Visit) -> web.Response:
    """Show how to give sessions of an offering to somebody."""
    offering_id = visit.form.text("offering_id") or visit.query("offering")
    if not looks_like_id(offering_id):
        raise wrong_fields(offering_id="Begin on the mentor's page.")
    offering = await visit.read(Service.BOOKING, f"/v1/offerings/{offering_id}", Offering)
    mentor = await visit.try_read(Service.PROFILES, f"/v1/mentors/{offering.mentor_id}", Mentor)
    return visit.page("give.html", offering=offering, mentor=mentor)


async def give(visit: Visit) -> web.Response:
    """Begin to buy sessions for somebody else, or for the mentor's fund."""
    form = visit.form
    sessions = form.whole("sessions", least=1, most=SESSIONS_MOST)
    body = {"offering_id": form.text("offering_id"), "sessions": sessions}
    what = "sponsorships" if form.text("to") == "fund" else "gifts"
    return await _begin(visit, f"/v1/{what}", body)


async def _begin(visit: Visit, path: str, body: Mapping[str, object]) -> web.Response:
    answer = await visit.send(Service.PAYMENTS, "POST", path, body)
    bought = Bought.model_validate_json(answer.content)
    return visit.go(f"/purchases/{bought.purchase_id}")


async def purchase(visit: Visit) -> web.Response:
    """Show a purchase: where it is paid, and what became of it."""
    return await _show(visit, code=None)


async def _show(visit: Visit, code: str | None) -> web.Response:
    bought, checkout = await _standing(visit)
    names, story = await asyncio.gather(names_of(visit, [bought.mentor_id]), _money(visit, bought))
    return visit.page(
        "purchase.html", bought=bought, checkout=checkout, names=names, story=story, code=code
    )


async def _money(visit: Visit, bought: Bought) -> MoneyStory | None:
    """Return what became of the money; before it is paid there is none."""
    if bought.state != "paid":
        return None
    path = f"/v1/orders/{bought.purchase_id}/money"
    return await visit.try_read(Service.PAYMENTS, path, MoneyStory)


async def _standing(visit: Visit) -> tuple[Bought, Checkout | None]:
    purchase_id = visit.part("purchase_id")
    bought = await visit.read(Service.PAYMENTS, f"/v1/purchases/{purchase_id}", Bought)
    if not bought.waiting:
        return bought, None
    return bought, await visit.read(Service.PAYMENTS, f"/v1/checkouts/{purchase_id}", Checkout)


async def come_back(visit: Visit) -> web.Response:
    """Show how the payment went; asks `payments` to look at Stripe now."""
    path = f"/v1/checkouts/{visit.part('purchase_id')}/look-up"
    # If this does not work, the webhook or the reconciler brings the news as well.
    with suppress(Away, Refused):
        await visit.send(Service.PAYMENTS, "POST", path)
    return await purchase(visit)


async def status(visit: Visit) -> web.Response:
    """Answer the page that looks again by itself: the news, or nothing when there is none."""
    bought, checkout = await _standing(visit)
    if bought.state == visit.query("seen"):
        return web.Response(status=NO_CONTENT)
    names = await names_of(visit, [bought.mentor_id])
    return visit.fragment("_bought.html", bought=bought, checkout=checkout, names=names, code=None)


async def make_code(visit: Visit) -> web.Response:
    """Show the code of a gift, this once."""
    path = f"/v1/gifts/{visit.part('purchase_id')}/code"
    answer = await visit.send(Service.PAYMENTS, "POST", path)
    return await _show(visit, GiftCode.model_validate_json(answer.content).code)


async def refund(visit: Visit) -> web.Response:
    """Have unused credits paid back, on the amount that was shown."""
    path = f"/purchases/{visit.part('purchase_id')}"
    shown = visit.form.whole("shown_amount_minor", least=1, most=MAX_MINOR_OF_ALL)
    await visit.send(Service.PAYMENTS, "POST", f"/v1{path}/refund", {"shown_amount_minor": shown})
    return visit.go(path, "The money is on its way back to the card you paid with.")


async def credits_page(visit: Visit) -> web.Response:
    """Show one's credits, amends and what one bought, with a place for the code of a gift."""
    found, amends, bought = await asyncio.gather(
        visit.read(Service.PAYMENTS, "/v1/me/credits", Credits),
        visit.read(Service.PAYMENTS, "/v1/me/amends", Amends),
        visit.read(Service.PAYMENTS, "/v1/me/purchases", Page[Bought], limit=PURCHASES_SHOWN),
    )
    people = [each.mentor_id for each in (*found.items, *bought.items)]
    return visit.page(
        "credits.html",
        lots=[lot for lot in found.items if _is_good(lot, visit)],
        amends=amends.items,
        bought=bought.items,
        names=await names_of(visit, people),
    )


def _is_good(lot: Lot, visit: Visit) -> bool:
    return lot.remaining > 0 and (lot.resting or visit.now < lot.expires_at)


async def redeem(visit: Visit) -> web.Response:
    """Take a gift by its code."""
    code = visit.form.needed("code", "Write the code as it was given to you.")
    answer = await visit.send(Service.PAYMENTS, "POST", "/v1/gifts/redeem", {"code": code})
    lot = Lot.model_validate_json(answer.content)
    path = f"/mentors/{lot.mentor_id}?offering={lot.offering_id}"
    return visit.go(path, "The gift is yours. Pick a time: there is nothing to pay.")


_ONE = f"/purchases/{{purchase_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see(f"/packages/{{package_id:{ID}}}", package),
    do(f"/packages/{{package_id:{ID}}}", buy, package),
    see("/give", give_form),
    do("/give", give, give_form),
    see(_ONE, purchase),
    see(f"{_ONE}/return", come_back),
    see(f"{_ONE}/status", status),
    do(f"{_ONE}/code", make_code, purchase),
    do(f"{_ONE}/refund", refund, purchase),
    see("/credits", credits_page),
    do("/credits", redeem, credits_page),
)
