"""Only Stripe's own word is a no: pages of proxies and half answers leave a call open."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.payments.domain.requests import CreateTransfer
from services.payments.gateway.calls import Refused, StripeGateway
from shared.errors import Unfinished

REQUEST = CreateTransfer(
    order_id=uuid4(),
    mentor_id=uuid4(),
    account_id="acct_1",
    charge_id="ch_1",
    amount_minor=100,
    currency="USD",
)
STRIPES_NO = '{"error": {"type": "invalid_request_error", "code": "balance_insufficient"}}'


async def _ask(status: int, body: str) -> object:
    """Return what the gateway makes of an answer to a transfer."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        gateway = StripeGateway("sk_test_x", str(server.make_url("")), network_retries=0)
        try:
            return await gateway.perform(REQUEST, "transfer:1")
        finally:
            await gateway.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>hello"),
        (200, '{"id": "tr_1", "object": "transf'),
        (302, "moved"),
        (400, "<html>bad gateway settings"),
        (404, "no such host"),
        (407, "proxy wants a password"),
        (408, "timeout"),
        (425, "early"),
        (502, "bad gateway"),
    ],
)
async def test_what_stripe_did_not_say_leaves_the_call_open(status: int, body: str) -> None:
    """P8: a transfer that may have taken effect is never taken for refused."""
    with pytest.raises(Unfinished):
        await _ask(status, body)


async def test_what_stripe_refuses_is_refused() -> None:
    """The control: Stripe's own error envelope is a definite no, with its code."""
    refused = await _ask(400, STRIPES_NO)
    assert isinstance(refused, Refused)
    assert refused.code == "balance_insufficient"
