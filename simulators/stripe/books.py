"""Double entry: every minor unit that moves leaves one account and arrives in another.

Accounts are (owner, bucket): the platform and each connected account have `pending` and
`available`; `outside` holds the card networks and the banks, `stripe` the fees earned. Per movement
and currency the entries sum to zero. What the API shows are balance transactions
(https://docs.stripe.com/reports/balance-transaction-types); each is one movement here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simulators.stripe.act import PLATFORM, Act
from simulators.stripe.errors import Json
from simulators.stripe.ids import new_id

OUTSIDE = "outside"
STRIPE = "stripe"
CARDS = (OUTSIDE, "cards")
BANKS = (OUTSIDE, "banks")
FEES = (STRIPE, "fees")
SETTLE_RANK = 0
"""Money becomes available before anything else that is due at the same instant."""
DAY_SECONDS = 86_400

Place = tuple[str, str]


@dataclass(frozen=True)
class Posting:
    """What a balance transaction says: signed `amount`, `fee` kept by Stripe, and why."""

    kind: str
    amount: int
    currency: str
    source: str
    other_side: Place
    fee: int = 0
    available_on: int | None = None
    category: str | None = None
    description: str | None = None
    fee_details: list[Json] = field(default_factory=list[Json])


def midnight_after(moment: int) -> int:
    """Return the next start of a day in UTC."""
    return (moment // DAY_SECONDS + 1) * DAY_SECONDS


def post(act: Act, posting: Posting) -> Json:
    """Move money of the acting account and return the balance transaction."""
    due = posting.available_on or act.moment
    pending = due > act.moment
    net = posting.amount - posting.fee
    transaction = act.add("balance_transaction", _transaction(act, posting, due, net, pending))
    bucket = "pending" if pending else "available"
    entries = {(act.owner, bucket): net, posting.other_side: -posting.amount}
    if posting.fee:
        entries[FEES] = posting.fee
    move(act, posting.kind, transaction["id"], posting.currency, entries)
    if pending or net > 0:  # Money that is available at once may be what something waits for.
        act.schedule(due, "settle", act.owner, rank=SETTLE_RANK)
    return transaction


def _transaction(act: Act, posting: Posting, due: int, net: int, pending: bool) -> Json:
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": posting.amount,
        "available_on": due,
        "balance_type": "payments",
        "created": act.moment,
        "currency": posting.currency,
        "description": posting.description,
        "exchange_rate": None,
        "fee": posting.fee,
        "fee_details": posting.fee_details,
        "net": net,
        "reporting_category": posting.category or posting.kind,
        "source": posting.source,
        "status": "pending" if pending else "available",
        "type": posting.kind,
    }


def move(act: Act, cause: str, ref: str, currency: str, entries: dict[Place, int]) -> None:
    """Write one movement; its entries must sum to zero."""
    if sum(entries.values()) != 0:
        raise AssertionError(f"movement {cause} of {ref} does not balance: {entries}")
    sql = act.store.sql
    row = (act.moment, cause, ref)
    movement = sql.execute("INSERT INTO movements (at, cause, ref) VALUES (?,?,?)", row).lastrowid
    for (owner, bucket), amount in entries.items():
        line = (owner, bucket, currency, amount)
        sql.execute("INSERT INTO entries VALUES (?,?,?,?,?)", (movement, *line))
        sql.execute(
            "INSERT INTO balances VALUES (?,?,?,?) "
            "ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
            line,
        )


def settle(act: Act) -> bool:
    """Make available what is due for the acting account; tells whether anything was."""
    waiting = act.store.sql.execute(
        "SELECT id FROM objects WHERE kind = 'balance_transaction' AND owner = ? "
        "AND json_extract(body, '$.status') = 'pending' ORDER BY seq",
        (act.owner,),
    ).fetchall()
    due = [act.find("balance_transaction", row["id"]) for row in waiting]
    due = [transaction for transaction in due if transaction["available_on"] <= act.moment]
    for transaction in due:
        act.save(transaction, status="available")
        net, here = transaction["net"], act.owner
        entries = {(here, "pending"): -net, (here, "available"): net}
        move(act, "settle", transaction["id"], transaction["currency"], entries)
    return bool(due)


def balance(act: Act, bucket: str, currency: str) -> int:
    """Return what the acting account has in a bucket, in minor units."""
    row = act.store.sql.execute(
        "SELECT amount FROM balances WHERE owner = ? AND bucket = ? AND currency = ?",
        (act.owner, bucket, currency),
    ).fetchone()
    return row["amount"] if row else 0


def balances(act: Act, bucket: str) -> dict[str, int]:
    """Return what the acting account has in a bucket, by currency."""
    rows = act.store.sql.execute(
        "SELECT currency, amount FROM balances WHERE owner = ? AND bucket = ? ORDER BY currency",
        (act.owner, bucket),
    )
    return {row["currency"]: row["amount"] for row in rows}


def books(act: Act) -> Json:
    """Return the whole double entry for checkers: trial balance, accounts, movements, verdict."""
    sql = act.store.sql
    trial = [
        dict(row)
        for row in sql.execute(
            "SELECT owner, bucket, currency, SUM(amount) AS amount FROM entries "
            "GROUP BY owner, bucket, currency ORDER BY owner, bucket, currency"
        )
    ]
    kept = {tuple(row) for row in sql.execute("SELECT * FROM balances")}
    unbalanced = sql.execute(
        "SELECT movement FROM entries GROUP BY movement, currency HAVING SUM(amount) <> 0"
    ).fetchall()
    return {
        "balanced": not unbalanced and kept == {tuple(line.values()) for line in trial},
        "trial_balance": trial,
        "totals": _totals(trial),
        "accounts": _accounts(trial),
        "movements": _movements(act),
    }


def _totals(trial: list[Json]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in trial:
        totals[line["currency"]] = totals.get(line["currency"], 0) + line["amount"]
    return totals


def _accounts(trial: list[Json]) -> Json:
    accounts: Json = {PLATFORM: {"pending": {}, "available": {}}}
    for line in trial:
        account = accounts.setdefault(line["owner"], {"pending": {}, "available": {}})
        account.setdefault(line["bucket"], {})[line["currency"]] = line["amount"]
    return {name: buckets for name, buckets in accounts.items() if name not in (OUTSIDE, STRIPE)}


def _movements(act: Act) -> list[Json]:
    entries: dict[int, list[Json]] = {}
    for row in act.store.sql.execute("SELECT * FROM entries ORDER BY rowid"):
        line = dict(row)
        entries.setdefault(line.pop("movement"), []).append(line)
    rows = act.store.sql.execute("SELECT id, at, cause, ref FROM movements ORDER BY id")
    return [{**dict(row), "entries": entries.get(row["id"], [])} for row in rows]
