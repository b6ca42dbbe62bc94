"""Connected accounts: made, onboarded, followed, and their payouts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments.commands.plans import TRANSFERS_BELL, announcer, plan
from services.payments.commands.webhooks import follow_account_events, leave_account_events
from services.payments.domain import accounts as rules
from services.payments.domain.accounts import (
    AccountMissing,
    AccountNotPrepared,
    ConnectedAccount,
)
from services.payments.domain.outcomes import CANNOT_RECEIVE
from services.payments.domain.requests import CreateAccount, CreateAccountLink, LookAtAccount
from services.payments.domain.seen import AccountLinkSeen, AccountSeen, PayoutSeen
from services.payments.store import accounts as store
from services.payments.store import transfers as transfer_store
from shared.clock import BusinessInstant
from shared.contracts.payments import AccountSnapshot
from shared.db import Connection, ring
from shared.errors import Missing
from shared.republish import Told

REPUBLISH_BATCH = 200


async def connect_account(
    conn: Connection, wanted: ConnectedAccount, now: datetime
) -> ConnectedAccount:
    """Begin to connect an account, or continue with the one that is there and not closed."""
    await store.add_account(conn, wanted)
    account = await _need_account(conn, wanted.mentor_id)
    if account.closed_at is not None:
        await store.keep_former(conn, account, now)
        account = rules.leave(account)
    account = replace(account, return_url=wanted.return_url, refresh_url=wanted.refresh_url)
    if account.stripe_account_id is None:
        account = replace(account, country=wanted.country, refusal=None)
        await plan(conn, CreateAccount(mentor_id=account.mentor_id, country=account.country), now)
    elif account.link(now) is None:
        await plan(conn, _link_request(account, account.stripe_account_id), now)
    await store.save_account(conn, account)
    return account


async def renew_link(conn: Connection, mentor_id: UUID, now: datetime) -> ConnectedAccount:
    """Ask for a fresh onboarding link; raises `AccountMissing` or `AccountNotPrepared`."""
    account = await store.lock_account(conn, mentor_id)
    if account is None or account.closed_at is not None:
        raise AccountMissing
    if account.stripe_account_id is None:
        raise AccountNotPrepared
    account = replace(account, onboarding_url=None, onboarding_until=None)
    await store.save_account(conn, account)
    await plan(conn, _link_request(account, account.stripe_account_id or ""), now)
    return account


async def record_account(
    conn: Connection, mentor_id: UUID, seen: AccountSeen, now: datetime
) -> None:
    """Note that Stripe made the account, look at it, and ask for the link into its onboarding.

    The answer may be one that was lost: of the account it says how it was then.
    """
    account = await _need_account(conn, mentor_id)
    if account.stripe_account_id is not None:
        return
    account, fact = rules.connect(account, seen)
    await store.save_account(conn, account)
    await announcer.announce(conn, fact, at=now)
    await follow_account_events(conn, seen.account_id, now)
    await plan(conn, _link_request(account, seen.account_id), now)
    await plan(conn, LookAtAccount(mentor_id=mentor_id, account_id=seen.account_id), now)


async def refuse_account(conn: Connection, mentor_id: UUID, code: str) -> None:
    """Note that Stripe refused to make an account; the mentor sees why and may ask again."""
    await store.save_account(conn, replace(await _need_account(conn, mentor_id), refusal=code))


async def record_link(conn: Connection, mentor_id: UUID, seen: AccountLinkSeen) -> None:
    """Keep the onboarding link for the mentor."""
    account = await _need_account(conn, mentor_id)
    linked = replace(account, onboarding_url=seen.url, onboarding_until=seen.until)
    await store.save_account(conn, linked)


async def follow_account(
    conn: Connection, mentor_id: UUID, seen: AccountSeen, now: datetime
) -> None:
    """Take over what Stripe shows; an account that can receive gets what waited for it."""
    account = await _need_account(conn, mentor_id)
    if account.stripe_account_id != seen.account_id:
        return  # The mentor has left it for another.
    if account.closed_at is not None:
        await follow_account_events(conn, seen.account_id, now)
    await _follow(conn, account, seen, now)


async def look_for_account(conn: Connection, account_id: str, now: datetime) -> None:
    """Look at an account that Stripe, asked for something else, said it does not know."""
    mentor_id = await store.mentor_of(conn, account_id)
    if mentor_id is not None:
        await plan(conn, LookAtAccount(mentor_id=mentor_id, account_id=account_id), now)


async def lose_account(conn: Connection, look: LookAtAccount, now: datetime) -> None:
    """Note that an account cannot be reached: nothing goes to it, and the mentor is told."""
    account = await _need_account(conn, look.mentor_id)
    if account.stripe_account_id != look.account_id:
        return  # The mentor has left it for another, which all that waits goes to.
    await leave_account_events(conn, look.account_id)
    if account.closed_at is None:
        account, fact = rules.close(account, now)
        await store.save_account(conn, account)
        await announcer.announce(conn, fact, at=now)


async def _follow(
    conn: Connection, account: ConnectedAccount, seen: AccountSeen, now: datetime
) -> None:
    account, fact = rules.update(account, seen)
    await store.save_account(conn, account)
    if fact is not None:
        await announcer.announce(conn, fact, at=now)
    # An ability that was lost and came back between two looks shows no change.
    await _send_what_waits(conn, account, CANNOT_RECEIVE if fact is None else None)


async def _send_what_waits(conn: Connection, account: ConnectedAccount, code: str | None) -> None:
    """Try again what was refused, with `code` or for whatever reason, if it can be received."""
    if account.can_receive:
        await transfer_store.retry_refused_transfers(conn, account.mentor_id, code)
        await ring(conn, TRANSFERS_BELL)


async def follow_payout(conn: Connection, mentor_id: UUID, seen: PayoutSeen, now: datetime) -> None:
    """Take over what Stripe shows of a payout, and which orders it pays out."""
    account = await _need_account(conn, mentor_id)
    known = await store.load_payout(conn, seen.payout_id)
    account, payout, facts = rules.follow_payout(account, known, seen, now)
    await store.save_account(conn, account)
    await store.save_payout(conn, payout)
    await transfer_store.link_payout(conn, mentor_id, seen.payout_id, seen.transfer_ids)
    await announcer.announce(conn, *facts, at=now)


async def republish_accounts(conn: Connection, cursor: str | None, now: BusinessInstant) -> Told:
    """Tell the state of the next batch of accounts again."""
    after = UUID(cursor) if cursor else None
    mentors = await store.accounts_after(conn, after, REPUBLISH_BATCH)
    for mentor_id in mentors:
        account = await _need_account(conn, mentor_id)
        told = replace(account, version=account.version + 1)
        await store.save_account(conn, told)
        fact = AccountSnapshot(
            mentor_id=mentor_id, can_receive=told.can_receive, version=told.version
        )
        await announcer.announce(conn, fact, at=now)
    more = len(mentors) == REPUBLISH_BATCH
    return Told(len(mentors), str(mentors[-1]) if more else None)


async def _need_account(conn: Connection, mentor_id: UUID) -> ConnectedAccount:
    account = await store.lock_account(conn, mentor_id)
    if account is None:
        raise Missing(f"account:{mentor_id}")
    return account


def _link_request(account: ConnectedAccount, account_id: str) -> CreateAccountLink:
    return CreateAccountLink(
        mentor_id=account.mentor_id,
        account_id=account_id,
        return_url=account.return_url,
        refresh_url=account.refresh_url,
    )
