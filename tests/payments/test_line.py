"""The line to Stripe: below its limit, silent when asked, and closed while nobody answers."""

from __future__ import annotations

from contextlib import suppress

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.payments.domain.requests import LookAtRefund
from services.payments.gateway.calls import AnswerLost, StripeGateway
from services.payments.gateway.line import FAILURES_TO_OPEN, Circuit, Pace
from shared.auth import Role
from shared.clock import monotonic_seconds
from shared.errors import Unfinished
from shared.ids import new_id
from tests.payments.conftest import World

LOOK = LookAtRefund(refund_id=new_id(), stripe_refund_id="re_1")
OPEN_CALLS = "/v1/operator/operations/open"
TRY_NOW = "UPDATE operations SET next_try_at = now() WHERE state IN ('planned', 'sent')"


async def test_requests_keep_below_the_limit() -> None:
    """Ten leave at once, the others one by one at the pace; a rest fills the bucket again."""
    pace = Pace(per_second=100, at_once=10)
    began = monotonic_seconds()
    for _ in range(10):
        await pace.turn()
    at_once = monotonic_seconds() - began
    for _ in range(20):
        await pace.turn()
    assert monotonic_seconds() - began >= 0.19
    assert at_once < 0.19


def test_a_circuit_opens_after_failures_in_a_row_and_lets_one_call_try() -> None:
    """Failures must follow each other; of an open circuit one caller at a time gets leave."""
    circuit = Circuit(first_rest_seconds=0.0)
    for _ in range(FAILURES_TO_OPEN - 1):
        circuit.failed()
    circuit.answered()
    assert not circuit.is_open
    for _ in range(FAILURES_TO_OPEN):
        circuit.failed()
    assert circuit.is_open
    assert [circuit.may_call() for _ in range(3)] == [True, False, False]
    circuit.end_probe()
    assert circuit.may_call(), "who did not come to speak gives the turn back"
    circuit.failed()
    assert circuit.is_open
    assert circuit.may_call()
    circuit.answered()
    assert [circuit.may_call() for _ in range(3)] == [True] * 3


def test_a_circuit_that_just_opened_waits() -> None:
    """Nobody tries before the pause is over."""
    circuit = Circuit(first_rest_seconds=60.0)
    for _ in range(FAILURES_TO_OPEN):
        circuit.failed()
    assert not circuit.may_call()


@pytest.mark.parametrize(
    ("status", "headers", "counts", "silent"),
    [
        (500, {}, True, False),
        (503, {}, True, False),
        (500, {"Idempotent-Replayed": "true"}, False, False),
        (404, {}, False, False),
        (429, {"Retry-After": "30"}, False, True),
        (429, {"Retry-After": "soon"}, False, True),
    ],
)
async def test_what_counts_as_no_answer(
    status: int, headers: dict[str, str], counts: bool, silent: bool
) -> None:
    """Failures of Stripe's own count, its refusals and replays do not; it may ask for silence."""
    body = {"error": {"type": "api_error", "code": "x"}}

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        gateway = StripeGateway("sk_test_x", str(server.make_url("")), network_retries=0)
        with suppress(Unfinished, AnswerLost):
            await gateway.perform(LOOK, "none")
        await gateway.close()
    assert (gateway.line.circuit.failures > 0) == counts
    assert gateway.line.may_call() != silent


async def test_a_connection_that_breaks_counts_as_no_answer() -> None:
    """Nobody at the address: the calls fail, and soon none is made any more."""
    gateway = StripeGateway("sk_test_x", "http://127.0.0.1:1", network_retries=0)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(Unfinished):
            await gateway.perform(LOOK, "none")
    await gateway.close()
    assert not gateway.line.may_call()


async def test_calls_wait_while_stripe_is_away_and_nothing_is_refused_to_people(
    world: World,
) -> None:
    """The circuit opens and shows it; people go on; all is made once when Stripe is back."""
    await world.sim("POST", "faults", {"kind": "reset", "count": None})
    orders = [await world.hold() for _ in range(3)]
    while not world.gateway.line.circuit.is_open:
        await world.turn()
        await world.pool.execute(TRY_NOW)
    orders += [await world.hold() for _ in range(3)]
    await world.turn()
    operator = new_id()
    status, shown = await world.call("GET", OPEN_CALLS, operator, Role.OPERATOR)
    assert (status, [line["state"] for line in shown["lines"]]) == (200, ["open"])
    assert sum(each["calls"] for each in shown["items"] if each["kind"] == "checkout.create") == 6
    await world.stripe.delete("/_sim/faults")
    await world.rest()
    await world.turn()
    _, shown = await world.call("GET", OPEN_CALLS, operator, Role.OPERATOR)
    assert [line["state"] for line in shown["lines"]] == ["closed"]
    assert [(await world.order(order)).state for order in orders] == ["open"] * 6
    history = (await world.sim("GET", "history"))[1]
    assert len(history["objects"]["checkout.session"]) == 6
