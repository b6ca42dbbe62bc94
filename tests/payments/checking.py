"""Whether both books tell one story: ours, Stripe's, and what booking decided, to the cent.

Nothing here uses the rules of the service: amounts are worked out again, and everything that moved
is compared as a whole, so that something too much shows as well as something missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts import payments as facts
from shared.contracts.envelope import Fact
from shared.contracts.payments import MoneyFact
from tests.payments.conftest import Bought, World
from tests.payments.histories import Purchase

WHOLE = 10_000
REFUND_STEP = {"KWD": 10}
MENTOR_STEP = {"KWD": 10, "HUF": 100}
EMPTY = ("ledger_imbalances", "clearing_leftovers", "paid_without_outcome")
TOTALS = "SELECT currency, sum(amount_minor)::bigint AS minor FROM ledger_lines GROUP BY currency"
CLEARING = """
SELECT order_id, account, sum(amount_minor)::bigint AS minor FROM ledger_lines
WHERE account IN ('session_clearing', 'refunds_in_transit')
GROUP BY order_id, account HAVING sum(amount_minor) <> 0
"""
MOVED = """
SELECT e.kind, l.order_id, l.amount_minor, l.currency
FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
WHERE l.account = 'stripe_balance'
"""
BALANCES = "SELECT account, currency, amount_minor FROM ledger_balances WHERE amount_minor <> 0"
DEBTS = """
SELECT mentor_id, currency, sum(minor)::bigint AS minor FROM (
    SELECT mentor_id, currency, owed_minor AS minor FROM debts
    UNION ALL
    SELECT mentor_id, currency, -amount_minor FROM ledger_lines WHERE account = 'mentor_debt'
) AS both_ways GROUP BY mentor_id, currency HAVING sum(minor) <> 0
"""
NETTED = "SELECT order_id FROM transfers WHERE netted_minor > 0"
"""Whose share was kept for what its mentor owes: only what each side has in the end is certain."""
DISPUTED = ("dispute_withdrawn", "dispute_reinstated", "dispute_loss")
DISPUTE_MONEY = """
SELECT l.order_id, 'bank' AS kind, sum(l.amount_minor)::bigint AS minor
FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
WHERE l.account = 'stripe_balance'
  AND e.kind IN ('dispute_withdrawn', 'dispute_reinstated', 'dispute_loss')
GROUP BY l.order_id
UNION ALL
SELECT l.order_id, 'mentor', -sum(l.amount_minor)::bigint
FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
WHERE l.account = 'mentor_debt'
   OR (l.account = 'stripe_balance' AND e.kind IN ('transfer', 'reversal'))
GROUP BY l.order_id
UNION ALL
SELECT order_id, 'platform', -sum(amount_minor)::bigint
FROM ledger_lines WHERE account = 'platform_revenue' GROUP BY order_id
UNION ALL
SELECT order_id, 'refund_failed', sum(amount_minor)::bigint
FROM ledger_lines WHERE account = 'refund_failed' GROUP BY order_id
HAVING sum(amount_minor) <> 0
"""
"""What the bank moved, what the mentor has for good, what the platform has, what came back."""
REFUNDS = """
SELECT refund_id, order_id, amount_minor, currency, state, stripe_refund_id, failure_code, attempt
FROM refunds
"""
PAPERS = """
SELECT d.order_id, d.amount_minor, abs(sum(l.amount_minor))::bigint AS posted_minor
FROM documents AS d JOIN ledger_lines AS l ON l.entry_id = d.entry_id
WHERE l.account IN ('stripe_balance', 'refunds_in_transit')
GROUP BY d.document_id HAVING d.amount_minor <> abs(sum(l.amount_minor))
"""
PAYOUTS = "SELECT stripe_payout_id, amount_minor, currency, state FROM payouts"

Json = dict[str, Any]


@dataclass(frozen=True)
class Share:
    """What each side should get of a purchase."""

    mentee: int
    mentor: int
    platform: int


def share_of(purchase: Purchase, fee: int) -> Share:
    """Work out who gets what: everything but the platform's part is rounded down."""
    price, currency = purchase.bought.price_minor, purchase.bought.currency
    back = purchase.refunded or 0
    mentee = price if back == WHOLE else _down(price * back // WHOLE, REFUND_STEP.get(currency, 1))
    mentor = _mentors(purchase, price - mentee, fee)
    return Share(mentee, mentor, price - mentee - mentor)


def _mentors(purchase: Purchase, kept: int, fee: int) -> int:
    """Work out what the mentor gets of what is kept of a purchase, of which Stripe took a fee."""
    price, taken = purchase.bought.price_minor, purchase.taken
    by_share = kept * (WHOLE - taken.share_basis_points) // WHOLE
    # The least that is taken is of the whole price, and of a part of it the same part.
    by_minimum = kept * max(0, price - taken.minimum_minor) // price
    borne = fee if taken.mentor_bears_fee else 0
    step = MENTOR_STEP.get(purchase.bought.currency, 1)
    return _down(max(0, min(by_share, by_minimum) - borne), step)


async def complaints(world: World, purchases: Sequence[Purchase]) -> list[str]:
    """Return everything that is wrong with the money of a world at rest."""
    history = (await world.sim("GET", "history"))[1]["objects"]
    kept = {row["order_id"] for row in await world.pool.fetch(NETTED)}
    for purchase in purchases:
        purchase.moved_later |= purchase.bought.order_id in kept
    return [
        *await _ledger_complaints(world),
        *await _movement_complaints(world, history),
        *await _balance_complaints(world),
        *_decision_complaints(purchases, await world.facts(), history),
        *await _dispute_complaints(world, purchases, history),
        *await _refund_complaints(world, history),
        *await _payout_complaints(world, history),
        *await _operation_complaints(world),
    ]


async def _ledger_complaints(world: World) -> list[str]:
    found = [f"{row['currency']} is out of balance" for row in await world.pool.fetch(TOTALS)
             if row["minor"]]  # fmt: skip
    found += [f"{row['account']} holds {row['minor']} of {row['order_id']}"
              for row in await world.pool.fetch(CLEARING)]  # fmt: skip
    found += [f"debt is off: {dict(row)}" for row in await world.pool.fetch(DEBTS)]
    for view in EMPTY:
        rows = await world.pool.fetch(f"SELECT * FROM {view}")  # noqa: S608  Constants.
        found += [f"{view}: {dict(row)}" for row in rows]
    return found


async def _movement_complaints(world: World, history: Json) -> list[str]:
    """Compare every movement of Stripe's balance, one by one."""
    ours = Counter(
        (row["kind"], str(row["order_id"]), row["amount_minor"], row["currency"])
        for row in await world.pool.fetch(MOVED)
        if row["kind"] not in DISPUTED
    )
    theirs = Counter(each for each in _stripe_movements(history) if each[0] != "adjustment")
    return [
        *(f"only in the ledger: {line}" for line in (ours - theirs).elements()),
        *(f"only at Stripe: {line}" for line in (theirs - ours).elements()),
    ]


def _stripe_movements(history: Json) -> Iterable[tuple[str, str, int, str]]:
    kinds = {
        "charge": "payment",
        "refund": "refund_settled",
        "refund_failure": "refund_failed",
        "transfer": "transfer",
        "transfer_refund": "reversal",
    }
    orders = _orders_by_object(history)
    for row in history["balance_transaction"]:
        if row["owner"] != "platform":
            continue
        order, currency = orders.get(row["source"], "?"), row["currency"].upper()
        kind: str = row["type"]
        yield kinds.get(kind, kind), order, row["amount"], currency
        if row["fee"]:
            fee = "dispute_fee" if kind == "adjustment" else "stripe_fee"
            yield fee, order, -row["fee"], currency


def _orders_by_object(history: Json) -> dict[str, str]:
    """Return which order each charge, refund and transfer is about, as Stripe knows it."""
    intents = {row["id"]: row["metadata"].get("order_id", "?") for row in history["payment_intent"]}
    found = {row["id"]: row["metadata"].get("order_id", "?") for row in history["transfer"]}
    for kind in ("charge", "refund", "dispute"):
        for row in history[kind]:
            found[row["id"]] = intents.get(row["payment_intent"], "?")
    for row in history["transfer_reversal"]:
        found[row["id"]] = found[row["transfer"]]
    return found


def _fees_by_order(history: Json) -> Counter[str]:
    """Return what Stripe kept of the payment of each order."""
    orders = _orders_by_object(history)
    return Counter({orders[row["source"]]: row["fee"] for row in history["balance_transaction"]
                    if row["owner"] == "platform" and row["type"] == "charge"})  # fmt: skip


async def _balance_complaints(world: World) -> list[str]:
    """Compare what Stripe holds for the platform with our asset account."""
    books = (await world.sim("GET", "books"))[1]
    theirs: Counter[str] = Counter()
    for bucket in books["accounts"]["platform"].values():
        theirs.update({currency.upper(): amount for currency, amount in bucket.items()})
    rows = await world.pool.fetch(BALANCES)
    ours = {row["currency"]: row["amount_minor"] for row in rows
            if row["account"] == "stripe_balance"}  # fmt: skip
    held = {currency: amount for currency, amount in theirs.items() if amount}
    found = [] if held == ours else [f"Stripe holds {held}, the ledger says {ours}"]
    found += [f"not paid out: {dict(row)}" for row in rows if row["account"] == "mentor_payable"]
    return found if books["balanced"] else [*found, "the simulator's books are out of balance"]


def _decision_complaints(
    purchases: Sequence[Purchase], told: Sequence[object], history: Json
) -> list[str]:
    """Compare each purchase with what was told of it and what was made at Stripe."""
    orders = _orders_by_object(history)
    charged = Counter(orders[row["id"]] for row in history["charge"]
                      if row["owner"] == "platform" and row["status"] == "succeeded")  # fmt: skip
    moved = Counter(
        (orders[row["id"]], kind, row["amount"])
        for kind in ("refund", "transfer")
        for row in history[kind]
        if row["owner"] == "platform"
    )
    pages = Counter(row["metadata"]["order_id"] for row in history["checkout.session"])
    fees = _fees_by_order(history)
    found: list[str] = []
    for purchase in purchases:
        order_id = str(purchase.bought.order_id)
        paid = purchase.state in ("lost", "cancelled", "completed")
        if charged.pop(order_id, 0) != int(paid) or pages.pop(order_id, 0) > 1:
            found.append(f"{order_id} ({purchase.state}) is charged more or less than once")
        mine = [fact for fact in told if isinstance(fact, MoneyFact)
                and fact.order_id == purchase.bought.order_id]  # fmt: skip
        if purchase.moved_later:
            for moves in [each for each in moved if each[0] == order_id]:
                del moved[moves]
            found += _version_complaints(purchase, mine)
            continue
        share = share_of(purchase, fees[order_id]) if paid else Share(0, 0, 0)
        for kind, amount in (("refund", share.mentee), ("transfer", share.mentor)):
            if moved.pop((order_id, kind, amount), 0) != int(amount > 0):
                found.append(f"{order_id}: not one {kind} of {amount}")
        found += _told_complaints(purchase, share, paid, mine)
    found += [f"nobody bought {rest}" for rest in (*charged, *pages)]
    return [*found, *(f"nobody decided {rest}" for rest in moved)]


def _told_complaints(
    purchase: Purchase, share: Share, paid: bool, told: Sequence[MoneyFact]
) -> list[str]:
    """Compare the facts of one purchase with what should have been told, each once."""
    wanted = Counter({facts.PaymentSucceeded: int(paid), facts.RefundIssued: int(share.mentee > 0),
                      facts.EarningsReleased: int(share.mentor + share.platform > 0),
                      facts.TransferSent: int(share.mentor > 0)})  # fmt: skip
    seen = Counter(type(fact) for fact in told)
    once = (facts.CheckoutOpened, facts.CheckoutClosed, facts.RefundFailed)
    found = [f"{purchase.bought.order_id}: {kind.__name__} told {seen[kind]} times"
             for kind in wanted if seen[kind] != wanted[kind]]  # fmt: skip
    found += [f"{kind.__name__} told twice" for kind in once if seen[kind] > 1]
    if seen[facts.CheckoutClosed] == int(paid):
        found.append(f"{purchase.bought.order_id}: neither or both of paid and closed were told")
    found += _version_complaints(purchase, told)
    for fact in told:
        parts = getattr(fact, "mentor_minor", None), getattr(fact, "platform_minor", None)
        if parts != (None, None) and parts != (share.mentor, share.platform):
            found.append(f"{purchase.bought.order_id}: released {parts} instead of {share}")
    return found


def _version_complaints(purchase: Purchase, told: Sequence[MoneyFact]) -> list[str]:
    if is_told_in_order(purchase.bought, told):
        return []
    return [f"{purchase.bought.order_id}: versions have gaps"]


def is_told_in_order(order: Bought, told: Sequence[Fact]) -> bool:
    """Return whether the facts of a purchase left one version after the other."""
    versions = [
        fact.version
        for fact in told
        if isinstance(fact, MoneyFact) and fact.order_id == order.order_id
    ]
    return versions == list(range(1, len(versions) + 1))


async def _dispute_complaints(
    world: World, purchases: Sequence[Purchase], history: Json
) -> list[str]:
    """Compare what disputes and operators took with what each side has of such a purchase."""
    orders, fees = _orders_by_object(history), _fees_by_order(history)
    away = Counter[str]()
    for row in history["dispute"]:
        away[orders[row["id"]]] -= sum(each["amount"] for each in row["balance_transactions"])
    posted = {(str(row["order_id"]), row["kind"]): row["minor"]
              for row in await world.pool.fetch(DISPUTE_MONEY)}  # fmt: skip
    found = [f"{order_id}: the bank took {taken}, posted {posted.get((order_id, 'bank'), 0)}"
             for order_id, taken in away.items()
             if posted.get((order_id, "bank"), 0) != -taken]  # fmt: skip
    for purchase in purchases:
        order_id = str(purchase.bought.order_id)
        refunds = [row for row in history["refund"] if orders[row["id"]] == order_id]
        back = sum(row["amount"] for row in refunds if row["status"] == "succeeded")
        # What a bank sent back, or Stripe refused to send, is an operator's to settle.
        if not purchase.moved_later or posted.get((order_id, "refund_failed")):
            continue
        gone = min(back + away[order_id], purchase.bought.price_minor)
        kept = purchase.bought.price_minor - gone
        mentor = _mentors(purchase, kept, fees[order_id])
        has = tuple(posted.get((order_id, side), 0) for side in ("mentor", "platform"))
        if has != (mentor, kept - mentor):
            found.append(f"{order_id}: {gone} is gone, the two have {has} of {kept}")
    return found


async def _refund_complaints(world: World, history: Json) -> list[str]:
    """Compare the refunds: each of ours is one of Stripe's, with the same end."""
    theirs = {row["id"]: row for row in history["refund"] if row["owner"] == "platform"}
    found: list[str] = []
    for row in map(dict, await world.pool.fetch(REFUNDS)):
        refund = theirs.pop(row["stripe_refund_id"], None)
        found += _attempt_complaints(row, theirs)
        if row["failure_code"] is not None and row["stripe_refund_id"] is None:
            continue  # Stripe refused it, or a bank has the part of it that went by Stripe's name.
        state = (
            {"succeeded": "settled", "failed": "failed"}.get(refund["status"]) if refund else "?"
        )
        if (state, row["state"]) == ("failed", "paid_otherwise"):
            continue  # A bank had sent it back, and then another took the money by a dispute.
        if state != row["state"]:
            found.append(f"refund of {row['order_id']} is {row['state']} here, {state} there")
    papers = [f"a paper is off: {dict(row)}" for row in await world.pool.fetch(PAPERS)]
    return [*found, *papers, *(f"unknown refund {identifier}" for identifier in theirs)]


def _attempt_complaints(ours: Json, theirs: dict[str, Json]) -> list[str]:
    """Take out the attempts at a refund before the last: each was made once, and came back."""
    earlier = [row for row in theirs.values() if _is_earlier_attempt(row, ours)]
    for row in earlier:
        del theirs[row["id"]]
    numbers = Counter(_attempt(row) for row in earlier)
    found = [f"attempt {number} at {ours['refund_id']} was made {count} times"
             for number, count in numbers.items() if count > 1]  # fmt: skip
    found += [f"{row['id']} was made again, but is {row['status']}"
              for row in earlier if row["status"] != "failed"]  # fmt: skip
    return found


def _is_earlier_attempt(theirs: Json, ours: Json) -> bool:
    is_same = theirs["metadata"].get("refund_id") == str(ours["refund_id"])
    return is_same and _attempt(theirs) < ours["attempt"]


def _attempt(refund: Json) -> int:
    return int(refund["metadata"].get("attempt", 1))


async def _payout_complaints(world: World, history: Json) -> list[str]:
    """Compare payouts, and what mentors got in total with what is theirs at Stripe."""
    theirs = Counter((row["id"], row["amount"], row["currency"].upper(), row["status"])
                     for row in history["payout"])  # fmt: skip
    ours = Counter((row["stripe_payout_id"], row["amount_minor"], row["currency"], row["state"])
                   for row in await world.pool.fetch(PAYOUTS))  # fmt: skip
    found = [f"payouts differ: {line}" for line in ((theirs - ours) + (ours - theirs)).elements()]
    people = Counter(row["metadata"]["person_id"] for row in history["account"])
    return [*found, *(f"{person} has {n} accounts" for person, n in people.items() if n > 1)]


async def _operation_complaints(world: World) -> list[str]:
    """Nothing may wait for an operator or for ever once all trouble is over."""
    open_calls = await world.pool.fetch(
        "SELECT kind, outcome FROM operations WHERE state NOT IN ('done', 'refused')"
    )
    waiting = await world.pool.fetch("SELECT type FROM webhooks WHERE state = 'waiting'")
    kept = await world.pool.fetch("SELECT state, error FROM kept_events")
    return [f"left over: {dict(row)}" for row in (*open_calls, *waiting, *kept)]


def _down(amount: int, step: int) -> int:
    return amount - amount % step
