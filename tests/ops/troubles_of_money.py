"""The troubles of `troubles` that are about money, and between us and Stripe."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

from shared.auth import Role
from shared.contracts import booking
from shared.ids import new_id
from tests.ops.promql import Shown
from tests.ops.troubles import TROUBLES, Trouble, at, trouble
from tests.ops.ward import Ward
from tests.payments.test_documents import put_aside, right
from tests.payments.test_own_account import look_at_own_account
from tests.payments.test_recovery import earned, lend, refund

__all__ = ["TROUBLES"]


@trouble("LedgerWrong")
async def ledger_wrong(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant an entry with one side only, written around the guards."""
    line = """
        INSERT INTO payments.ledger_lines
            (entry_id, line_number, account, amount_minor, currency)
        VALUES ($1, $2, $3, $4, 'USD')
    """
    entry = new_id()
    await ward.spoil(
        """INSERT INTO payments.ledger_entries (entry_id, cause, kind, happened_at)
        VALUES ($1, 'planted', 'payment', now())""",
        entry,
    )
    await ward.spoil(line, entry, 1, "stripe_balance", 100)

    async def add_the_missing_line() -> None:
        await ward.spoil(line, entry, 2, "platform_revenue", -100)

    yield Trouble(at(ward, "payments"), mended=add_the_missing_line)


@trouble("BooksDiffer")
async def books_differ(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a movement in Stripe's list that nobody here asked for, an hour ago."""
    await ward.spoil(
        """INSERT INTO payments.stripe_movements
            (movement_id, type, source, amount_minor, fee_minor, currency, created_at)
        VALUES ('txn_by_hand', 'adjustment', 'adj_by_hand', -700, 0, 'USD', $1)""",
        ward.world.clock.now() - timedelta(hours=1),
    )
    await ward.spoil("INSERT INTO payments.ledger_questions (source) VALUES ('adj_by_hand')")
    names = {
        "source": "adj_by_hand",
        "account": "outside_stripe",
        "who moved it and why": "Paid to an auditor by hand",
    }
    yield Trouble(at(ward, "payments"), names, worker=ward.world.turn)


@trouble("CallUndetermined")
async def call_undetermined(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a call whose answer is lost and whose effect was not found."""
    order = await ward.world.hold()
    operation = await ward.world.pool.fetchval(
        """UPDATE operations SET state = 'undetermined', attempts = 1, first_sent_at = $2
        WHERE subject = $1 RETURNING operation_id""",
        str(order.order_id),
        ward.world.clock.now(),
    )
    names = {"operation": str(operation), "what Stripe shows": "no effect there"}
    yield Trouble(at(ward, "payments"), names, worker=ward.world.turn)


@trouble("RefundFailed")
async def refund_failed(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a refund that Stripe took and that came back."""
    order = await ward.world.buy()
    await ward.world.say(
        booking.BookingCancelled, order, by="mentor", reason=None, refund_basis_points=10_000
    )
    await ward.world.rest()
    now = ward.world.clock.now()
    await ward.spoil(
        "UPDATE payments.refunds SET state = 'failed', failed_at = $2 WHERE order_id = $1",
        order.order_id,
        now,
    )
    refund_id = await ward.world.pool.fetchval(
        "SELECT refund_id FROM refunds WHERE order_id = $1", order.order_id
    )
    names = {
        "order": str(order.order_id),
        "refund": str(refund_id),
        "amount": str(order.price_minor),
    }
    yield Trouble(at(ward, "payments"), names, worker=ward.world.turn)


@trouble("DisputeUnanswered")
async def dispute_unanswered(ward: Ward) -> AsyncGenerator[Trouble]:
    """Let a bank dispute a payment, and nobody look at it until two days before its end."""
    order = await ward.world.buy()
    charge = (await ward.world.order(order)).charge_id
    opened = (await ward.world.sim("POST", "disputes", {"charge": charge}))[1]
    await ward.world.rest()
    await ward.world.advance(timedelta(days=12))
    names = {"order": str(order.order_id), "dispute": opened["id"]}
    yield Trouble(at(ward, "payments"), names, mended=ward.world.rest, worker=ward.world.turn)


@trouble("TransferRefused")
async def transfer_refused(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a share that Stripe did not want to send, until the mentor's account is in order."""
    order = await ward.world.buy()
    now = ward.world.clock.now()
    await ward.world.say(booking.SessionCompleted, order, by="mentee", completed_at=now)
    await ward.world.advance(timedelta(days=5))
    await ward.spoil(
        "UPDATE payments.earnings SET transfer_state = 'refused' WHERE order_id = $1",
        order.order_id,
    )
    yield Trouble(
        at(ward, "payments"),
        {"order": str(order.order_id)},
        mended=lambda: ward.world.connect(order.mentor_id),
        worker=ward.world.turn,
    )


@trouble("PaperPutAside")
async def paper_put_aside(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a purchase whose lines do not come to what was paid, and mend them."""
    order = await put_aside(ward.world)
    await right(ward.world, order)
    names = {"order": str(order.order_id)}
    yield Trouble(at(ward, "payments"), names, mended=ward.world.rest, worker=ward.world.turn)


@trouble("PlatformPaysOutByItself")
async def platform_pays_out_by_itself(ward: Ward) -> AsyncGenerator[Trouble]:
    """Set the platform's payouts to daily, as in Stripe's dashboard, and mend it there."""
    world = ward.world
    await world.sim("POST", "account/payouts", {"interval": "daily"})
    await look_at_own_account(world)

    async def set_to_manual() -> None:
        await world.sim("POST", "account/payouts", {"interval": "manual"})
        await look_at_own_account(world)

    yield Trouble(at(ward, "payments"), mended=set_to_manual)


@trouble("MentorOwesMuch")
async def mentor_owes_much(ward: Ward) -> AsyncGenerator[Trouble]:
    """Give a session back after it was paid out, and the bank sends a later payout back.

    Nobody asks by itself any more, as after a month.
    """
    world, mentor = ward.world, new_id()
    await world.connect(mentor)
    order = await earned(world, mentor, 60_000)
    await world.advance(timedelta(days=10))
    await lend(world)
    await earned(world, mentor, 70_000)
    await refund(world, order, refund_basis_points=10_000)
    await world.rest()
    await ward.spoil("UPDATE payments.reversals SET ask_at = NULL")
    await world.sim("POST", "payouts/fail_next", {})
    await world.advance(timedelta(days=10))
    names = {"mentor": str(mentor), "currency": "USD"}
    yield Trouble(at(ward, "payments"), names, worker=world.turn)


@trouble("PaidWithoutOutcome")
async def paid_without_outcome(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a payment that booking does not hear of for ten minutes."""
    order = await ward.world.hold()
    await ward.world.rest()
    await ward.world.pay(order)
    await ward.world.rest()
    ward.world.clock.instant += timedelta(minutes=10)
    event = new_id()
    await ward.spoil(
        """INSERT INTO booking.kept_events (event_id, topic, key, headers, state, error)
        VALUES ($1, 'payments.orders', 'its order', '{}', 'parked', 'planted')""",
        event,
    )

    async def handled() -> None:
        await ward.spoil("DELETE FROM booking.kept_events WHERE event_id = $1", event)
        await ward.world.say(booking.BookingConfirmed, order, title="Career talk")

    names = {"event": str(event), "what was mended": "the new version"}
    yield Trouble(at(ward, "payments"), names, mended=handled)


@trouble("StripeAway")
async def stripe_away(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a call that was tried five times."""
    order = await ward.world.hold()
    await ward.world.pool.execute(
        "UPDATE operations SET attempts = 5, state = 'sent', first_sent_at = $2 WHERE subject = $1",
        str(order.order_id),
        ward.world.clock.now(),
    )
    yield Trouble(at(ward, "payments"), mended=ward.world.rest)


@trouble("StripeCircuitOpen")
async def stripe_circuit_open(ward: Ward) -> AsyncGenerator[Trouble]:
    """Cut every connection to Stripe until the worker gives up speaking to it."""
    world = ward.world
    await world.sim("POST", "faults", {"kind": "reset", "count": None})
    await world.hold()
    while not world.gateway.line.circuit.is_open:
        await world.turn()
        await world.pool.execute("UPDATE operations SET next_try_at = now()")
    await world.turn()

    async def mend() -> None:
        await world.stripe.delete("/_sim/faults")
        await world.rest()

    yield Trouble(at(ward, "payments"), mended=mend, meanwhile=world.turn)


@trouble("EventsUnread")
async def events_unread(ward: Ward) -> AsyncGenerator[Trouble]:
    """Have nobody read Stripe's list of events for four days."""
    await ward.world.rest()
    long_ago = ward.world.clock.now() - timedelta(days=4)
    await ward.spoil("UPDATE payments.event_reads SET read_at = $1, next_read_at = $1", long_ago)
    yield Trouble(at(ward, "payments"), mended=ward.world.rest)


@trouble("NoticesUnmatched")
async def notices_unmatched(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a notice of a payment that was put aside."""
    order = await ward.world.buy()
    await ward.world.rest()
    event_id = await ward.world.pool.fetchval(
        """UPDATE webhooks SET state = 'unmatched'
        WHERE type = 'checkout.session.completed' AND subject = $1 RETURNING event_id""",
        str(order.order_id),
    )

    async def obey_anew() -> None:
        path, reason = f"/v1/operator/webhooks/{event_id}/obey", {"reason": "It is ours."}
        await ward.world.call("POST", path, new_id(), Role.OPERATOR, body=reason)
        await ward.world.rest()

    yield Trouble(at(ward, "payments"), {"order": str(order.order_id)}, mended=obey_anew)


@trouble("WebhooksWait")
async def webhooks_wait(ward: Ward) -> AsyncGenerator[Trouble]:
    """Notices of a payment that nobody obeys for ten minutes."""
    order = await ward.world.hold()
    await ward.world.rest()
    await ward.world.pay(order)

    async def look() -> Shown:
        await ward.spoil(
            """UPDATE payments.webhooks SET received_at = now() - interval '10 minutes'
            WHERE state = 'waiting'"""
        )
        return await at(ward, "payments")()

    yield Trouble(look, mended=ward.world.rest)
