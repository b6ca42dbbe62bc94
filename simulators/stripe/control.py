"""`/_sim`: how tests, the demo and checkers direct the play and look behind the scenes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulators.stripe import (
    accounts,
    books,
    checkout_flow,
    dispute_flow,
    payouts,
    refunds,
    webhooks,
)
from simulators.stripe import billing_subscriptions as billing
from simulators.stripe.act import Act
from simulators.stripe.cards import CardEntry
from simulators.stripe.errors import Json, StripeError
from simulators.stripe.faults import Fault
from simulators.stripe.pages import render
from simulators.stripe.stage import Stage

DELAY_SECONDS_MAX = 3600.0
COPIES_MAX = 10
INDEX_ROWS = 50
REMEMBERED_KINDS = (
    "account",
    "customer",
    "checkout.session",
    "payment_intent",
    "charge",
    "subscription",
    "invoice",
    "refund",
    "dispute",
    "transfer",
    "transfer_reversal",
    "payout",
    "balance_transaction",
    "event",
)


class Order(BaseModel):
    """A control's parameters, as JSON; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class WebhookMode(Order):
    """How events travel from now on."""

    mode: Literal["normal", "hold", "drop", "duplicate", "reverse"] = "normal"
    delay_seconds: Annotated[float, Field(ge=0, le=DELAY_SECONDS_MAX)] = 0.0


class Release(Order):
    """How held events are let go."""

    copies: Annotated[int, Field(ge=1, le=COPIES_MAX)] = 1
    backwards: bool = False


class Resend(Order):
    """One event again, to every endpoint it was meant for."""

    event: str
    copies: Annotated[int, Field(ge=1, le=COPIES_MAX)] = 1


class Pay(Order):
    """A payer without a browser; `authenticate` answers 3-D Secure, None leaves it open."""

    card: str = "4242424242424242"
    email: str = "payer@example.com"
    name: str = "Test Payer"
    authenticate: bool | None = True


class Onboarding(Order):
    """What the holder of an account gives; some test bank accounts send every payout back."""

    account_number: Annotated[str, Field(pattern=r"^\d{4,17}$")] = accounts.GOOD_BANK_ACCOUNT


class Restrict(Order):
    """What Stripe wants to know before it works with the account again."""

    due: tuple[str, ...] = accounts.DUE_AFTER_RESTRICTION


class OwnPayouts(Order):
    """What the platform's own account says of its payouts; none is made by itself."""

    interval: Literal["manual", "daily"] = "manual"


class FailRefund(Order):
    """Why the bank sends the refund back."""

    reason: str = "expired_or_canceled_card"


class OpenDispute(Order):
    """Which charge a bank disputes, or asks about; the whole rest when no amount is named."""

    charge: str
    reason: str = "fraudulent"
    amount: Annotated[int, Field(ge=1)] | None = None
    inquiry: bool = False


class WinDispute(Order):
    """The bank decides for the merchant; Stripe gives its fee back only when told to."""

    fee_returned: bool = False


class FailNextPayout(Order):
    """Whose next payout to arrive shall fail, and why."""

    account: str = "any"
    code: str = "account_closed"


class FailPayout(Order):
    """Why the bank sends a payout back, also one that had arrived."""

    code: str = "account_closed"


class Nothing(Order):
    """No parameters."""


O = TypeVar("O", bound=BaseModel)  # noqa: E741 - the type of an order


class Control:
    """Answers everything under `/_sim`."""

    def __init__(self, stage: Stage) -> None:
        """Direct the stage."""
        self._stage = stage

    def add_to(self, app: web.Application) -> None:
        """Register the controls."""
        router = app.router
        router.add_get("/_sim", self._index)
        router.add_get("/_sim/books", self._looking(books.books))
        router.add_get("/_sim/history", self._looking(_history))
        router.add_get("/_sim/due", self._due)
        router.add_get("/_sim/rest", self._rest)
        router.add_get("/_sim/faults", self._shown_faults)
        router.add_post("/_sim/faults", self._add_fault)
        router.add_delete("/_sim/faults", self._clear_faults)
        router.add_get("/_sim/webhooks", self._looking(lambda act: act.store.setting("webhooks")))
        self._order(app, "/_sim/webhooks", WebhookMode, _set_mode)
        router.add_post("/_sim/webhooks/release", self._release)
        self._order(app, "/_sim/webhooks/resend", Resend, _resend)
        self._order(app, "/_sim/checkout/{id}/pay", Pay, _pay)
        self._order(app, "/_sim/accounts/{id}/complete", Onboarding, _complete)
        self._order(app, "/_sim/accounts/{id}/restrict", Restrict, _restrict)
        self._order(app, "/_sim/accounts/{id}/close", Nothing, _close_account)
        self._order(app, "/_sim/account/payouts", OwnPayouts, _set_own_payouts)
        self._order(app, "/_sim/refunds/{id}/fail", FailRefund, _fail_refund)
        self._order(app, "/_sim/refunds/{id}/finish", Nothing, _finish_refund)
        self._order(app, "/_sim/disputes", OpenDispute, _open_dispute)
        self._order(app, "/_sim/disputes/{id}/win", WinDispute, _win_dispute)
        self._order(app, "/_sim/disputes/{id}/lose", Nothing, _lose_dispute)
        self._order(app, "/_sim/disputes/{id}/escalate", Nothing, _escalate_dispute)
        self._order(app, "/_sim/subscriptions/{id}/card", Pay, _replace_card)
        self._order(app, "/_sim/invoices/{id}/pay", Pay, _pay_invoice)
        self._order(app, "/_sim/payouts/fail_next", FailNextPayout, _fail_next_payout)
        self._order(app, "/_sim/payouts/{id}/fail", FailPayout, _fail_payout)

    def _order(
        self, app: web.Application, path: str, shape: type[O], do: Callable[[Act, O, str], Json]
    ) -> None:
        async def handle(request: web.Request) -> web.Response:
            order = await _read(request, shape)
            try:
                with self._stage.act(_origin(request)) as act:
                    return web.json_response(do(act, order, request.match_info.get("id", "")))
            except StripeError as error:
                return web.json_response(error.body(""), status=error.status)

        app.router.add_post(path, handle)

    def _looking(self, look: Callable[[Act], Json]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            with self._stage.act(_origin(request)) as act:
                return web.json_response(look(act))

        return handle

    async def _due(self, _request: web.Request) -> web.Response:
        self._stage.catch_up()
        due = self._stage.store.next_due()
        instant = datetime.fromtimestamp(due.due_at, UTC).isoformat() if due else None
        return web.json_response({"next": instant, "action": due.action if due else None})

    async def _rest(self, _request: web.Request) -> web.Response:
        self._stage.catch_up()
        undelivered = webhooks.waiting(self._stage.store)
        answer = {"resting": undelivered == 0, "undelivered_webhooks": undelivered}
        return web.json_response(answer)

    async def _shown_faults(self, _request: web.Request) -> web.Response:
        return web.json_response({"faults": self._stage.faults.shown()})

    async def _add_fault(self, request: web.Request) -> web.Response:
        self._stage.faults.add(await _read(request, Fault))
        return await self._shown_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._stage.faults.clear()
        return await self._shown_faults(request)

    async def _release(self, request: web.Request) -> web.Response:
        order = await _read(request, Release)
        store = self._stage.store
        count = webhooks.release(store, copies=order.copies, backwards=order.backwards)
        self._stage.heard.set()
        return web.json_response({"released": count})

    async def _index(self, request: web.Request) -> web.Response:
        with self._stage.act(_origin(request)) as act:
            return render(
                "index.html",
                moment=act.moment,
                books=books.books(act),
                undelivered=webhooks.waiting(act.store),
                sections={kind: _latest(act, kind) for kind in REMEMBERED_KINDS},
            )


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


async def _read(request: web.Request, shape: type[O]) -> O:
    try:
        return shape.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        problem = error.json(include_url=False, include_context=False)
        raise web.HTTPBadRequest(text=problem, content_type="application/json") from None


def _latest(act: Act, kind: str) -> list[Json]:
    return [filed.body for filed in act.store.everything(kind)[-INDEX_ROWS:][::-1]]


def _history(act: Act) -> Json:
    requests = act.store.sql.execute("SELECT * FROM requests ORDER BY seq").fetchall()
    sent = act.store.sql.execute("SELECT * FROM deliveries ORDER BY seq").fetchall()
    objects = {
        kind: [{"owner": filed.owner, **filed.body} for filed in act.store.everything(kind)]
        for kind in REMEMBERED_KINDS
    }
    return {
        "requests": [dict(row) for row in requests],
        "deliveries": [dict(row) for row in sent],
        "objects": objects,
    }


def _set_mode(act: Act, order: WebhookMode, _id: str) -> Json:
    act.store.set("webhooks", order.model_dump())
    return order.model_dump()


def _resend(act: Act, order: Resend, _id: str) -> Json:
    event = act.store.find(order.event)
    if event is None:
        act.find("event", order.event)
    rows = act.store.sql.execute(
        "SELECT DISTINCT endpoint FROM deliveries WHERE event = ?", (order.event,)
    ).fetchall()
    for row in rows:
        webhooks.send(act.store, order.event, row["endpoint"], order.copies)
    return {"resent": len(rows) * order.copies}


def _pay(act: Act, order: Pay, identifier: str) -> Json:
    session = act.find("checkout.session", identifier)
    entry = CardEntry(order.card, email=order.email, name=order.name)
    session = checkout_flow.submit(act, session, entry)
    challenged = checkout_flow.waits_for_authentication(act, session)
    if challenged and order.authenticate is not None:
        session = checkout_flow.authenticate(act, session, passed=order.authenticate)
    return {
        "status": session["status"],
        "payment_status": session["payment_status"],
        "payment_intent": session["payment_intent"],
        "requires_authentication": checkout_flow.waits_for_authentication(act, session),
        "message": checkout_flow.message_for(act, session),
    }


def _replace_card(act: Act, order: Pay, identifier: str) -> Json:
    entry = CardEntry(order.card, email=order.email, name=order.name)
    return billing.replace_card(act, identifier, entry)


def _pay_invoice(act: Act, order: Pay, identifier: str) -> Json:
    entry = CardEntry(order.card, email=order.email, name=order.name)
    return billing.pay_with(act, act.find("invoice", identifier), entry)


def _complete(act: Act, order: Onboarding, identifier: str) -> Json:
    return accounts.complete_onboarding(act, identifier, order.account_number)


def _restrict(act: Act, order: Restrict, identifier: str) -> Json:
    return accounts.restrict(act, identifier, list(order.due))


def _close_account(act: Act, _order: Nothing, identifier: str) -> Json:
    return accounts.close(act, identifier)


def _set_own_payouts(act: Act, order: OwnPayouts, _id: str) -> Json:
    act.store.set(accounts.OWN_PAYOUTS, order.model_dump())
    return order.model_dump()


def _fail_refund(act: Act, order: FailRefund, identifier: str) -> Json:
    return refunds.fail_refund(act, identifier, order.reason)


def _finish_refund(act: Act, _order: Nothing, identifier: str) -> Json:
    refunds.finish_refund(act, identifier)
    return act.find("refund", identifier)


def _open_dispute(act: Act, order: OpenDispute, _id: str) -> Json:
    charge = act.find("charge", order.charge, param="charge")
    inquiry = order.inquiry
    return dispute_flow.open_dispute(act, charge, order.reason, order.amount, inquiry=inquiry)


def _win_dispute(act: Act, order: WinDispute, identifier: str) -> Json:
    dispute = act.find("dispute", identifier)
    return dispute_flow.win(act, dispute, fee_returned=order.fee_returned)


def _lose_dispute(act: Act, _order: Nothing, identifier: str) -> Json:
    return dispute_flow.lose(act, act.find("dispute", identifier))


def _escalate_dispute(act: Act, _order: Nothing, identifier: str) -> Json:
    return dispute_flow.escalate(act, act.find("dispute", identifier))


def _fail_next_payout(act: Act, order: FailNextPayout, _id: str) -> Json:
    act.store.set(payouts.FAIL_NEXT, order.model_dump())
    return order.model_dump()


def _fail_payout(act: Act, order: FailPayout, identifier: str) -> Json:
    filed = act.store.find(identifier)
    own = act.acting_for(filed.owner) if filed else act
    return payouts.send_back(own, own.find("payout", identifier), order.code)
