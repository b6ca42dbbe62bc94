"""The hosted pages: paying, 3-D Secure, onboarding, the Express dashboard, receipts.

Plain forms that work without scripts; every field has a label and every refusal a message on the
same page, as on Stripe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from jinja2 import Environment, FileSystemLoader

from simulators.stripe import accounts, books, checkout, checkout_flow, intents, money
from simulators.stripe import billing_subscriptions as billing
from simulators.stripe.act import Act
from simulators.stripe.cards import CardEntry, behaviour_of
from simulators.stripe.errors import Json, StripeError
from simulators.stripe.lists import page
from simulators.stripe.params import ListParams
from simulators.stripe.stage import Stage

_EXPIRY = re.compile(r"^\s*(\d{1,2})\s*/?\s*(\d{2}|\d{4})\s*$")
_DIGITS = re.compile(r"^[\d -]+$")
_EMAIL = re.compile(r"^\S+@\S+\.\S+$")


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
)
_FILTERS = cast("dict[str, Any]", ENVIRONMENT.filters)
_FILTERS.update({"money": money.written, "instant": _instant})


def render(template: str, status: int = 200, **values: Any) -> web.Response:
    """Return a page made from a template."""
    text = ENVIRONMENT.get_template(template).render(**values)
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


class Pages:
    """Answers browsers."""

    def __init__(self, stage: Stage) -> None:
        """Play on the stage."""
        self._stage = stage

    def add_to(self, app: web.Application) -> None:
        """Register the pages."""
        for path, look, do in (
            ("/c/pay/{id}", _payment_page, _pay),
            ("/c/authenticate/{id}", _challenge_page, _authenticate),
            ("/setup/e/{account}/{token}", _onboarding_page, _onboard),
            ("/express/{account}/{token}", _dashboard_page, None),
            ("/receipts/{id}", _receipt_page, None),
            ("/i/{id}", _invoice_page, _pay_invoice),
        ):
            app.router.add_get(path, self._handler(look))
            if do:
                app.router.add_post(path, self._handler(do))

    def _handler(
        self, answer: Callable[[Act, web.Request, Mapping[str, str]], web.Response]
    ) -> Any:
        async def handle(request: web.Request) -> web.Response:
            fields = {name: str(text) for name, text in (await request.post()).items()}
            try:
                with self._stage.act(f"{request.scheme}://{request.host}") as act:
                    return answer(act, request, fields)
            except StripeError as error:
                return render("message.html", error.status, title="Something is not right",
                              text=str(error))  # fmt: skip

        return handle


def _session(act: Act, request: web.Request) -> Json:
    return act.find("checkout.session", request.match_info["id"])


def _payment_page(act: Act, request: web.Request, _fields: Mapping[str, str]) -> web.Response:
    session = _session(act, request)
    if session["status"] != "open":
        return _closed(session)
    if checkout_flow.waits_for_authentication(act, session):
        raise web.HTTPSeeOther(f"/c/authenticate/{session['id']}")
    return _form(act, session, {}, checkout_flow.message_for(act, session))


def _form(
    act: Act, session: Json, fields: Mapping[str, str], message: str | None, status: int = 200
) -> web.Response:
    details: Json = session["customer_details"] or {}
    known = {"email": details.get("email") or "", "name": details.get("name") or ""}
    items = checkout.line_items(act, session)["data"]
    values = {**known, **fields}
    return render("pay.html", status, session=session, items=items, fields=values, message=message)


def _closed(session: Json) -> web.Response:
    if session["status"] == "complete":
        return render("message.html", title="You're all done here", link=_success(session),
                      text="This payment has been made.", link_text="Continue")  # fmt: skip
    return render("message.html", title="This page has expired", link=session["cancel_url"],
                  text="Nothing was charged. Go back and start again.",
                  link_text="Go back")  # fmt: skip


def _success(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _pay(act: Act, request: web.Request, fields: Mapping[str, str]) -> web.Response:
    session = _session(act, request)
    if session["status"] != "open":
        return _closed(session)
    entry = _card_entry(act, fields)
    if isinstance(entry, str):
        return _form(act, session, fields, entry, 422)
    session = checkout_flow.submit(act, session, entry)
    if session["status"] == "complete":
        return _see_other(_success(session))
    if checkout_flow.waits_for_authentication(act, session):
        return _see_other(f"/c/authenticate/{session['id']}")
    return _form(act, session, fields, checkout_flow.message_for(act, session), 402)


def _see_other(location: str) -> web.Response:
    return web.Response(status=303, headers={"Location": location})


def _card_entry(act: Act, fields: Mapping[str, str]) -> CardEntry | str:
    """Return what was typed, or what is wrong with it."""
    typed = {name: fields.get(name, "").strip() for name in ("email", "name", "card", "cvc")}
    expiry = _EXPIRY.match(fields.get("expiry", ""))
    if not _EMAIL.match(typed["email"]):
        return "Your email is incomplete."
    if not _is_card_number(typed["card"]):
        return "Your card number is invalid."
    if expiry is None or not 1 <= int(expiry[1]) <= 12:
        return "Your card's expiration date is incomplete."
    month, year = int(expiry[1]), int(expiry[2]) % 100 + 2000
    today = datetime.fromtimestamp(act.moment, UTC)
    if (year, month) < (today.year, today.month):
        return "Your card's expiration date is in the past."
    if not re.fullmatch(r"\d{3,4}", typed["cvc"]):
        return "Your card's security code is incomplete."
    if not typed["name"]:
        return "Please say the name on the card."
    return CardEntry(typed["card"], typed["email"], typed["name"], month, year)


def _is_card_number(text: str) -> bool:
    digits = re.sub(r"[ -]", "", text)
    if not _DIGITS.match(text) or not 12 <= len(digits) <= 19:
        return False
    doubled = (
        sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(digits[::-1])
    )
    return sum(doubled) % 10 == 0


def _challenge_page(act: Act, request: web.Request, _fields: Mapping[str, str]) -> web.Response:
    if intent := _intent(act, request):
        return _challenge(intent) if intent["status"] == "requires_action" else _answered(intent)
    session = _session(act, request)
    if session["status"] != "open":
        return _closed(session)
    if not checkout_flow.waits_for_authentication(act, session):
        return _see_other(f"/c/pay/{session['id']}")
    return _challenge({"amount": session["amount_total"], "currency": session["currency"]})


def _authenticate(act: Act, request: web.Request, fields: Mapping[str, str]) -> web.Response:
    passed = fields.get("answer") == "complete"
    if intent := _intent(act, request):
        return _answered(intents.authenticate_intent(act, intent, passed=passed))
    session = _session(act, request)
    if session["status"] != "open":
        return _closed(session)
    session = checkout_flow.authenticate(act, session, passed=passed)
    if session["status"] == "complete":
        return _see_other(_success(session))
    return _see_other(f"/c/pay/{session['id']}")


def _intent(act: Act, request: web.Request) -> Json | None:
    """Return the intent that a page is about, None when it is about a session."""
    identifier = request.match_info["id"]
    return act.find("payment_intent", identifier) if identifier.startswith("pi_") else None


def _challenge(asked: Json) -> web.Response:
    return render("challenge.html", amount=asked["amount"], currency=asked["currency"])


def _answered(intent: Json) -> web.Response:
    error = intent["last_payment_error"]
    title = "The payment failed" if error else "Your bank has confirmed the payment"
    return render("message.html", title=title, text=error["message"] if error else "Go back.")


def _onboarding_page(act: Act, request: web.Request, _fields: Mapping[str, str]) -> web.Response:
    link = accounts.link_of(act, request.match_info["token"])
    if link["used"] or link["expires_at"] <= act.moment:
        return _see_other(link["refresh_url"])
    act.save(link, used=True)
    account = act.find("account", link["account"])
    return render("onboarding.html", account=account, link=link)


def _onboard(act: Act, request: web.Request, fields: Mapping[str, str]) -> web.Response:
    link = accounts.link_of(act, request.match_info["token"])
    if fields.get("answer") == "complete":
        number = fields.get("iban", "").strip() or accounts.GOOD_BANK_ACCOUNT
        accounts.complete_onboarding(act, link["account"], number)
    return _see_other(link["return_url"])


def _dashboard_page(act: Act, request: web.Request, _fields: Mapping[str, str]) -> web.Response:
    account = act.find("account", request.match_info["account"])
    there = act.acting_for(account["id"])
    return render(
        "dashboard.html",
        account=account,
        available=books.balances(there, "available"),
        pending=books.balances(there, "pending"),
        payouts=page(there, "payout", ListParams(limit=100), "/v1/payouts")["data"],
    )


def _invoice_page(act: Act, request: web.Request, _fields: Mapping[str, str]) -> web.Response:
    invoice = act.find("invoice", request.match_info["id"])
    known = {"email": invoice["customer_email"] or "", "name": invoice["customer_name"] or ""}
    return _invoice_form(invoice, known, None)


def _invoice_form(
    invoice: Json, fields: Mapping[str, str], message: str | None, status: int = 200
) -> web.Response:
    if invoice["status"] != "open":
        text = f"This invoice is {invoice['status']}."
        return render("message.html", title=f"Invoice {invoice['number']}", text=text)
    return render("invoice.html", status, invoice=invoice, fields=fields, message=message)


def _pay_invoice(act: Act, request: web.Request, fields: Mapping[str, str]) -> web.Response:
    invoice = act.find("invoice", request.match_info["id"])
    entry = _card_entry(act, fields)
    if isinstance(entry, str):
        return _invoice_form(invoice, fields, entry, 422)
    tried = billing.pay_with(act, invoice, entry)
    if tried["status"] == "open":
        return _invoice_form(tried, fields, behaviour_of(entry).message, 402)
    return _see_other(f"/i/{invoice['id']}")


def _receipt_page(act: Act, request: web.Request, _fields: Mapping[str, str]) -> web.Response:
    charge = act.find("charge", request.match_info["id"])
    paid = money.written(charge["amount"], charge["currency"])
    back = money.written(charge["amount_refunded"], charge["currency"])
    text = f"{paid} paid on {_instant(charge['created'])}. Refunded: {back}."
    return render("message.html", title="Receipt", text=text)
