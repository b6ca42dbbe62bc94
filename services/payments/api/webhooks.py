"""Where Stripe tells us what happened: verified, stored once, answered at once, obeyed later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from aiohttp import web

from services.payments.commands.webhooks import store_webhook
from services.payments.gateway.webhooks import SignatureInvalid, verify_webhook
from shared.db import in_transaction
from shared.log import logger
from shared.web import ANYONE, Api, Call, Problem, Reply, View
from shared.web.problems import PROBLEM_TYPE

SIGNATURE_HEADER = "Stripe-Signature"
NOT_ACCEPTED = 400
"""What Stripe expects for a webhook whose signature is wrong."""

_log = logger("webhooks")


@dataclass(frozen=True)
class Secrets:
    """What webhooks are signed with; several of each, so that they can be changed."""

    platform: Sequence[str]
    connect: Sequence[str]


SECRETS = web.AppKey("payments_webhook_secrets", Secrets)


class Received(View):
    """The notice is stored."""


def add_routes(api: Api) -> None:
    """Declare the two places Stripe sends events to."""
    api.post("/webhooks/stripe", may=ANYONE, status=200)(receive_platform_webhook)
    api.post("/webhooks/stripe-connect", may=ANYONE, status=200)(receive_connect_webhook)


async def receive_platform_webhook(call: Call, raw: bytes) -> Annotated[Reply, Received]:
    """Take a notice about the platform's own Stripe account."""
    return await _receive(call, raw, call.request.app[SECRETS].platform)


async def receive_connect_webhook(call: Call, raw: bytes) -> Annotated[Reply, Received]:
    """Take a notice about a connected account."""
    return await _receive(call, raw, call.request.app[SECRETS].connect)


async def _receive(call: Call, raw: bytes, secrets: Sequence[str]) -> Reply:
    try:
        event = verify_webhook(raw, call.request.headers.get(SIGNATURE_HEADER), secrets)
    except SignatureInvalid:
        _log.warning("webhook_refused")
        return _refusal()
    await in_transaction(call.pool, lambda conn: store_webhook(conn, event))
    return Reply(view=Received())


def _refusal() -> Reply:
    problem = Problem(
        title="The webhook is not accepted",
        status=NOT_ACCEPTED,
        detail="The signature is wrong, too old, or from the future.",
        code="signature_invalid",
    )
    content = problem.model_dump_json(exclude_none=True).encode()
    return Reply(status=NOT_ACCEPTED, content=content, content_type=PROBLEM_TYPE)
