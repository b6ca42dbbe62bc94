"""The calls to Stripe: requests of ours in, what Stripe shows out.

Answers come back as `domain.seen`, refusals as `Refused`, and everything in between as an exception
that says what is known: nothing yet (`Unfinished`), or that a stored failure hides the truth
(`AnswerLost`). A function here never has a database connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Any, cast

import stripe

from services.payments.domain.operations import LOOK_BACK, Refused
from services.payments.domain.platform import OwnAccount, Platform
from services.payments.domain.requests import (
    CreateAccount,
    CreateAccountLink,
    CreateCheckout,
    CreateRefund,
    CreateReversal,
    CreateTransfer,
    DisputeRequest,
    ExpireCheckout,
    LookAtAccount,
    LookAtCheckout,
    LookAtDispute,
    LookAtPayout,
    LookAtRefund,
    ReadEvents,
    ReadMovements,
    Request,
    SubmitEvidence,
)
from services.payments.domain.seen import (
    AccountLinkSeen,
    BooksSeen,
    DisputeSeen,
    EventsSeen,
    Seen,
)
from services.payments.domain.subscription_calls import OpenSubscription, SubscriptionRequest
from services.payments.gateway.line import (
    LIVE_CALLS_PER_SECOND,
    SANDBOX_CALLS_PER_SECOND,
    Circuit,
    Line,
    Pace,
)
from services.payments.gateway.lists import pages, stretch
from services.payments.gateway.shapes import (
    Json,
    account_params,
    carries,
    checkout_params,
    is_transfer,
    payout_interval,
    read_account,
    read_checkout,
    read_dispute,
    read_event,
    read_movement,
    read_payout,
    read_refund,
    read_reversal,
    read_transfer,
    refund_params,
    reversal_params,
    transfer_params,
)
from services.payments.gateway.subscriptions import SubscriptionCalls
from shared.clock import from_epoch_seconds, to_epoch_seconds
from shared.errors import Unfinished
from shared.log import logger

API_VERSION = "2026-10-28.endive"
"""The version our reading of Stripe's objects was written for."""
CALL_TIMEOUT_SECONDS = 8.0
NETWORK_RETRIES = 1
"""Done by the SDK at once, with the same key; everything longer is the operation's business."""
_MADE_ONCE = CreateCheckout | CreateRefund | CreateTransfer | CreateReversal | CreateAccount
_CARRIED = ("payment", "payout_failure")
"""Which of a payout's balance transactions say what it pays out."""
EXPAND_PAYMENT = ["payment_intent.latest_charge.balance_transaction"]

_log = logger("gateway")


class AnswerLost(Exception):
    """Stripe answers this key with a stored failure: whether it took effect must be looked up."""


class NotPermitted(Unfinished):
    """Stripe does not accept our key: nothing is lost, an operator must put it right."""


class StripeGateway:
    """Makes calls; close it at the end."""

    def __init__(
        self,
        key: str,
        base_url: str | None,
        timeout_seconds: float = CALL_TIMEOUT_SECONDS,
        network_retries: int = NETWORK_RETRIES,
        *,
        pace: Pace | None = None,
        circuit: Circuit | None = None,
    ) -> None:
        """Speak with `key` to Stripe, or to whoever stands at `base_url`."""
        limit = SANDBOX_CALLS_PER_SECOND if base_url is None and "_test_" in key else None
        self.line = Line(
            pace or Pace(limit or LIVE_CALLS_PER_SECOND), circuit or Circuit(), timeout_seconds
        )
        self._client = stripe.StripeClient(
            key,
            http_client=self.line,
            base_addresses={"api": base_url} if base_url else None,
            max_network_retries=network_retries,
            stripe_version=API_VERSION,
        )
        self._v1 = self._client.v1
        self._live = "_live_" in key
        self._subscriptions = SubscriptionCalls(self._v1)

    async def close(self) -> None:
        """Close the connections."""
        await self.line.close_async()

    async def own_account(self) -> OwnAccount:
        """Return the account whose key ours is; raises `Unfinished` or `NotPermitted`."""
        found = await _answered(self._v1.accounts.retrieve_current_async())
        if isinstance(found, Refused):
            raise NotPermitted(found.code)
        shown = _plain(found)
        return OwnAccount(Platform(shown["id"], self._live), payout_interval(shown))

    async def perform(self, request: Request, key: str) -> Seen | Refused:
        """Make a call; raises `Unfinished`, `AnswerLost` or `NotPermitted`."""
        if isinstance(request, ReadEvents):
            return await _answered(self._read_events(request))
        if isinstance(request, ReadMovements):
            return await _answered(self._read_movements(request))
        if isinstance(request, SubscriptionRequest):
            return await _answered(self._subscriptions.perform(request, key))
        if isinstance(request, _MADE_ONCE):
            return await _answered(self._create(request, {"idempotency_key": key}))
        if isinstance(request, ExpireCheckout):
            return await self._expire(request, {"idempotency_key": key})
        if isinstance(request, CreateAccountLink):
            return await _answered(self._create_link(request, {"idempotency_key": key}))
        if isinstance(request, DisputeRequest):
            return await _answered(self._dispute(request, {"idempotency_key": key}))
        return await _answered(self._look_at(request))

    async def find(self, request: Request, since: datetime) -> Seen | None:
        """Look for the effect of a call that was first made at `since`.

        Raises as `perform` does, and `SearchTooLong` when its absence cannot be proved.
        """
        created = {"gte": to_epoch_seconds(since - LOOK_BACK)}
        found: Seen | Refused | None = None
        if isinstance(request, CreateCheckout):
            found = await _answered(self._find_checkout(request, created))
        elif isinstance(request, CreateRefund):
            found = await _answered(self._find_refund(request))
        elif isinstance(request, CreateTransfer):
            found = await _answered(self._find_transfer(request))
        elif isinstance(request, CreateReversal):
            found = await _answered(self._find_reversal(request))
        elif isinstance(request, CreateAccount):
            found = await _answered(self._find_account(request, created))
        elif isinstance(request, OpenSubscription):
            found = await _answered(self._subscriptions.find(request, created))
        elif isinstance(request, DisputeRequest):
            found = await _answered(self._find_answer(request))
        return None if isinstance(found, Refused) else found

    async def _create(self, request: Request, options: Any) -> Seen:
        if isinstance(request, CreateCheckout):
            params: Any = checkout_params(request)
            made = await self._v1.checkout.sessions.create_async(params, options)
            return read_checkout(_plain(made))
        if isinstance(request, CreateRefund):
            params = refund_params(request)
            return read_refund(_plain(await self._v1.refunds.create_async(params, options)))
        if isinstance(request, CreateTransfer):
            params = transfer_params(request)
            return read_transfer(_plain(await self._v1.transfers.create_async(params, options)))
        if isinstance(request, CreateReversal):
            return await self._reverse(request, options)
        assert isinstance(request, CreateAccount)  # noqa: S101  The last that is made once.
        params = account_params(request)
        return read_account(_plain(await self._v1.accounts.create_async(params, options)))

    async def _reverse(self, request: CreateReversal, options: Any) -> Seen:
        params: Any = reversal_params(request)
        made = await self._v1.transfers.reversals.create_async(
            request.stripe_transfer_id, params, options
        )
        return read_reversal(_plain(made))

    async def _create_link(self, request: CreateAccountLink, options: Any) -> Seen:
        params: Any = {
            "account": request.account_id,
            "type": "account_onboarding",
            "return_url": request.return_url,
            "refresh_url": request.refresh_url,
        }
        link = _plain(await self._v1.account_links.create_async(params, options))
        return AccountLinkSeen(url=link["url"], until=from_epoch_seconds(link["expires_at"]))

    async def _expire(self, request: ExpireCheckout, options: Any) -> Seen | Refused:
        closed = await _answered(self._close(request.checkout_id, options))
        # A page that is already complete or expired refuses: what it is decides.
        return await _answered(self._checkout(request.checkout_id)) if closed is None else closed

    async def _close(self, checkout_id: str, options: Any) -> Seen | None:
        try:
            closed = await self._v1.checkout.sessions.expire_async(checkout_id, None, options)
        except stripe.InvalidRequestError as error:
            if not _is_stripes_word(error, error.http_status or 0):
                raise
            return None
        return read_checkout(_plain(closed))

    async def _checkout(self, checkout_id: str) -> Seen:
        params: Any = {"expand": EXPAND_PAYMENT}
        found = await self._v1.checkout.sessions.retrieve_async(checkout_id, params)
        return read_checkout(_plain(found))

    async def _look_at(self, request: Request) -> Seen:
        if isinstance(request, LookAtCheckout):
            return await self._checkout(request.checkout_id)
        if isinstance(request, LookAtRefund):
            found = await self._v1.refunds.retrieve_async(request.stripe_refund_id)
            return read_refund(_plain(found))
        if isinstance(request, LookAtAccount):
            return read_account(_plain(await self._v1.accounts.retrieve_async(request.account_id)))
        if isinstance(request, LookAtPayout):
            return await self._payout(request)
        raise TypeError(request.kind)

    async def _dispute(self, request: DisputeRequest, options: Any) -> DisputeSeen:
        disputes = self._v1.disputes
        if isinstance(request, LookAtDispute):
            return read_dispute(_plain(await disputes.retrieve_async(request.dispute_id)))
        if isinstance(request, SubmitEvidence):
            params: Any = {"evidence": request.evidence, "submit": True}
            answered = await disputes.update_async(request.dispute_id, params, options)
            return read_dispute(_plain(answered))
        return read_dispute(_plain(await disputes.close_async(request.dispute_id, None, options)))

    async def _find_answer(self, request: DisputeRequest) -> Seen | None:
        seen = read_dispute(_plain(await self._v1.disputes.retrieve_async(request.dispute_id)))
        given = seen.submissions if isinstance(request, SubmitEvidence) else seen.is_over
        return seen if given else None

    async def _payout(self, request: LookAtPayout) -> Seen:
        options: Any = {"stripe_account": request.account_id}
        payout = _plain(await self._v1.payouts.retrieve_async(request.payout_id, None, options))
        carried: list[Json] = []
        if payout.get("automatic"):
            params = {"payout": request.payout_id, "expand": ["data.source"]}
            rows = pages(self._v1.balance_transactions.list_async, params, options)
            carried = [row async for row in rows if row["type"] in _CARRIED]
        return read_payout(payout, carried)

    async def _read_events(self, request: ReadEvents) -> Seen:
        options: Any = {"stripe_account": request.account_id} if request.account_id else {}
        params: Json = {"created": {"gte": to_epoch_seconds(request.since - LOOK_BACK)}}
        if request.before:
            params["starting_after"] = request.before
        rows, complete = await stretch(self._v1.events.list_async, params, options)
        events = tuple(read_event({"account": request.account_id, **row}) for row in rows)
        return EventsSeen(events=events, complete=complete)

    async def _read_movements(self, request: ReadMovements) -> Seen:
        options: Any = {"stripe_account": request.account_id} if request.account_id else {}
        params: Json = {"created": {"gte": to_epoch_seconds(request.since - LOOK_BACK)}}
        if request.payout_id:
            params = {"payout": request.payout_id}
        if request.before:
            params["starting_after"] = request.before
        rows, complete = await stretch(self._v1.balance_transactions.list_async, params, options)
        return BooksSeen(movements=tuple(map(read_movement, rows)), complete=complete)

    async def _find_checkout(self, request: CreateCheckout, created: Json) -> Seen | None:
        sessions = pages(self._v1.checkout.sessions.list_async, {"created": created})
        async for session in sessions:
            if carries(session, "order_id", request.order_id):
                return read_checkout(session)
        return None

    async def _find_refund(self, request: CreateRefund) -> Seen | None:
        params = {"payment_intent": request.payment_intent_id}
        async for refund in pages(self._v1.refunds.list_async, params):
            first = request.attempt == 1  # Of whose time no other can be there.
            if carries(refund, "refund_id", request.refund_id) and (
                first or carries(refund, "attempt", request.attempt)
            ):
                return read_refund(refund)
        return None

    async def _find_transfer(self, request: CreateTransfer) -> Seen | None:
        params = {"transfer_group": request.group}
        async for transfer in pages(self._v1.transfers.list_async, params):
            if is_transfer(transfer, request):
                return read_transfer(transfer)
        return None

    async def _find_reversal(self, request: CreateReversal) -> Seen | None:
        async def list_page(params: Any, options: Any) -> Any:
            of = request.stripe_transfer_id
            return await self._v1.transfers.reversals.list_async(of, params, options)

        async for reversal in pages(list_page, {}):
            if carries(reversal, "reversal_id", request.reversal_id):
                return read_reversal(reversal)
        return None

    async def _find_account(self, request: CreateAccount, created: Json) -> Seen | None:
        accounts = pages(self._v1.accounts.list_async, {"created": created})
        async for account in accounts:
            if carries(account, "person_id", request.mentor_id):
                return read_account(account)
        return None


async def _answered(call: Awaitable[Any]) -> Any:
    """Await a call; turn Stripe's errors into what we know after them."""
    try:
        return await call
    except stripe.StripeError as error:
        status = error.http_status
        if status is None or status in (409, 429) or not _is_stripes_word(error, status):
            raise Unfinished(type(error).__name__) from error
        if status >= 500:
            raise (AnswerLost if _replayed(error) else Unfinished)(str(status)) from error
        code = _code(error)
        if status == 401 or (status == 403 and code is None):
            _log.error("stripe_key_not_permitted", status=status)
            raise NotPermitted(str(status)) from error
        if isinstance(error, stripe.IdempotencyError):
            raise AnswerLost(code or "idempotency_error") from error
        return Refused(code or "invalid_request", str(error.user_message or ""))


def _is_stripes_word(error: stripe.StripeError, status: int) -> bool:
    """Return whether Stripe itself said no, in its own form (https://docs.stripe.com/api/errors).

    A page of a proxy or half an answer says nothing about what took effect: the same key goes
    again. A server's error counts without a body: it is looked up or sent again in any case.
    """
    body: object = error.json_body
    told = isinstance(body, dict) and isinstance(cast("Json", body).get("error"), dict)
    return status >= 500 or (told and status >= 400)


def _replayed(error: stripe.StripeError) -> bool:
    headers = cast("Mapping[str, str]", error.headers or {})
    found = {name.lower(): value for name, value in headers.items()}
    return found.get("idempotent-replayed") == "true"


def _code(error: stripe.StripeError) -> str | None:
    body = cast("Json", error.json_body or {})
    return body.get("error", {}).get("code")


def _plain(found: Any) -> Json:
    return cast("Json", found.to_dict())
