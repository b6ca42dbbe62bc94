"""Where Stripe tells us what happened: verified, stored once, answered at once, obeyed later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from services.payments.commands.webhooks import store_webhook
from services.payments.gateway.webhooks import SignatureInvalid, verify_webhook
from shared.db import in_transaction
from shared.errors import Kind, Refusal
from shared.log import logger
from shared.web import ANYONE, Api, Call, View

SIGNATURE = {"Stripe-Signature": "When it was sent, and the HMAC of that and of the body."}

_log = logger("webhooks")


@dataclass(frozen=True)
class Secrets:
    """What webhooks are signed with; several of each, so that they can be changed."""

    platform: Sequence[str]
    connect: Sequence[str]


SECRETS = web.AppKey("payments_webhook_secrets", Secrets)


class Received(View):
    """The notice is stored."""


class WebhookRefused(Refusal):
    """Nobody but Stripe gets a notice in."""

    code = "signature_invalid"
    kind = Kind.UNREADABLE
    detail = "The signature is wrong, too old, or from the future."


def add_routes(api: Api) -> None:
    """Declare the two places Stripe sends events to."""
    for path, receive in (
        ("/webhooks/stripe", receive_platform_webhook),
        ("/webhooks/stripe-connect", receive_connect_webhook),
    ):
        api.post(path, may=ANYONE, status=200, headers=SIGNATURE, refusals=(WebhookRefused,))(
            receive
        )


async def receive_platform_webhook(call: Call, raw: bytes) -> Received:
    """Take a notice about the platform's own Stripe account."""
    return await _receive(call, raw, call.request.app[SECRETS].platform)


async def receive_connect_webhook(call: Call, raw: bytes) -> Received:
    """Take a notice about a connected account."""
    return await _receive(call, raw, call.request.app[SECRETS].connect)


async def _receive(call: Call, raw: bytes, secrets: Sequence[str]) -> Received:
    try:
        signature = call.request.headers.get("Stripe-Signature")
        event = verify_webhook(raw, signature, secrets)
    except SignatureInvalid:
        _log.warning("webhook_refused")
        raise WebhookRefused from None
    await in_transaction(call.pool, lambda conn: store_webhook(conn, event))
    return Received()
