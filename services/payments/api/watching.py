"""What operators see and do between us and Stripe: calls, notices, and whether it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.payments.api.cursors import instant_and_text, one_uuid
from services.payments.commands import mending as commands
from services.payments.domain.operations import NothingToLookFor, shown
from services.payments.store import watching as store
from shared.auth import Role
from shared.db import Connection
from shared.deeds import Deed
from shared.errors import NotFound
from shared.web import Api, Call, InstantUtc, Page, PageQuery, View
from shared.web.operators import DeedDone, Reasoned, do

ACCEPTED = 202
OPERATIONS, WEBHOOKS = "/v1/operator/operations", "/v1/operator/webhooks"
OperationState = Literal["planned", "sent", "done", "refused", "undetermined"]
WebhookState = Literal["waiting", "obeyed", "ignored", "unmatched"]
STATES: dict[str, tuple[str, ...]] = {
    "open": ("planned", "sent"),
    "any": ("planned", "sent", "done", "refused", "undetermined"),
}
"""Names for several states at once; every other name means itself."""

Kind = Annotated[str, Field(pattern=r"^[a-z_.]{1,60}$")]


class OperationsQuery(PageQuery):
    """Which calls to Stripe; those that are undetermined unless another state is named."""

    state: OperationState | Literal["open", "any"] = "undetermined"
    kind: Kind | None = None
    planned_before: InstantUtc | None = None


class OperationView(View):
    """A call to Stripe."""

    operation_id: UUID
    kind: str
    subject: str
    state: OperationState
    attempts: int
    planned_at: datetime
    first_sent_at: datetime | None
    outcome: dict[str, Any] | None


class CanCall(View):
    """What may be done about a call now."""

    retry: bool
    look: bool


class WatchedOperationView(OperationView):
    """A call with what it says, without a person's words; `next_try_at` is system time."""

    order_id: UUID | None
    parameters: dict[str, Any]
    idempotency_key: str
    generation: int
    next_try_at: datetime
    ended_at: datetime | None
    can: CanCall


class OpenCalls(View):
    """Calls of one kind and state that have not ended."""

    kind: str
    state: OperationState
    calls: int
    oldest_at: datetime
    most_attempts: int


class LineView(View):
    """How a worker finds Stripe: `closed` and calls go through, `open` and they wait."""

    state: Literal["closed", "open"]
    failures: int
    since: datetime


class CallsView(View):
    """Whether Stripe answers each worker, and the calls that have not ended."""

    lines: list[LineView]
    items: list[OpenCalls]


class WebhooksQuery(PageQuery):
    """Which notices of Stripe."""

    state: WebhookState | None = None
    type: Kind | None = None
    received_before: InstantUtc | None = None


class WebhookView(View):
    """A notice of Stripe and the call it led to; `received_at` is system time."""

    event_id: str
    type: str
    account_id: str | None
    object_id: str
    subject: str | None
    created_at: datetime
    received_at: datetime
    state: WebhookState
    attempts: int
    operation_id: UUID | None
    call: str | None
    call_state: OperationState | None
    order_id: UUID | None


class WaitingNotices(View):
    """Notices of one state that nobody has obeyed."""

    state: WebhookState
    notices: int
    oldest_at: datetime


class NoticesView(View):
    """Notices that are not obeyed, and until when Stripe's event lists were read for others."""

    items: list[WaitingNotices]
    sources: int
    read_until: datetime | None


def add_routes(api: Api) -> None:
    """Declare the routes of operators about calls and notices."""
    operator, one, notice = Role.OPERATOR, f"{OPERATIONS}/{{operation_id}}", f"{WEBHOOKS}/{{event}}"
    api.get(OPERATIONS, may=operator)(list_operations)
    api.get(f"{OPERATIONS}/open", may=operator)(show_open_calls)
    api.get(one, may=operator, refusals=(NotFound,))(show_operation)
    api.get(WEBHOOKS, may=operator)(list_webhooks)
    api.get(f"{WEBHOOKS}/waiting", may=operator)(show_waiting_notices)
    for path, handler, refusals in (
        (f"{one}/retry", retry_call, (NotFound,)),
        (f"{one}/look", look_for_call, (NothingToLookFor,)),
        (f"{notice}/obey", obey_webhook, (NotFound,)),
        (f"{WEBHOOKS}/read-events", read_events, ()),
    ):
        api.post(path, may=operator, idempotent=True, status=ACCEPTED, refusals=refusals)(handler)


async def list_operations(
    call: Call, query: OperationsQuery, conn: Connection
) -> Page[OperationView]:
    """List calls to Stripe by state, kind and age, newest first."""
    del call
    states = STATES.get(query.state, (query.state,))
    found = await store.list_operations(
        conn, states, query.kind, query.planned_before, one_uuid(query), query.limit + 1
    )
    items = [OperationView.model_validate(vars(row)) for row in found[: query.limit]]
    more = len(found) > query.limit
    return Page(items=items, next_cursor=Page.cursor(items[-1].operation_id) if more else None)


async def show_open_calls(call: Call, conn: Connection) -> CallsView:
    """Show whether Stripe answers, and the calls that have not ended, by kind and state."""
    del call
    return CallsView.model_validate(
        {"lines": await store.lines(conn), "items": await store.open_calls(conn)}
    )


async def show_operation(call: Call, operation_id: UUID, conn: Connection) -> WatchedOperationView:
    """Show one call: what it says, how often it was tried, and what may be done about it."""
    del call
    found = await store.load_operation(conn, operation_id)
    if found is None:
        raise NotFound
    fields = vars(found) | {"parameters": shown(found.parameters)}
    looking = fields.pop("look_only")
    can = CanCall(
        retry=found.state in ("planned", "sent", "undetermined") and not looking,
        look=found.state == "undetermined" and found.takes_effect,
    )
    return WatchedOperationView.model_validate(fields | {"can": can})


async def retry_call(call: Call, operation_id: UUID, body: Reasoned, conn: Connection) -> DeedDone:
    """Have a call to Stripe tried now; an undetermined one is looked for first."""
    deed = _deed(call, "retry_call", str(operation_id), body)
    return await do(call, conn, commands.retry_call, deed)


async def look_for_call(
    call: Call, operation_id: UUID, body: Reasoned, conn: Connection
) -> DeedDone:
    """Have the effect of an undetermined call looked for; it is not sent again."""
    deed = _deed(call, "look_for_call", str(operation_id), body)
    return await do(call, conn, commands.look_for_call, deed)


async def list_webhooks(call: Call, query: WebhooksQuery, conn: Connection) -> Page[WebhookView]:
    """List what Stripe told us and what it led to, the newest first."""
    del call
    found = await store.list_webhooks(
        conn,
        query.state,
        query.type,
        query.received_before,
        instant_and_text(query),
        query.limit + 1,
    )
    items = [WebhookView.model_validate(vars(row)) for row in found[: query.limit]]
    last = items[-1] if len(found) > query.limit else None
    cursor = Page.cursor(last.received_at.isoformat(), last.event_id) if last else None
    return Page(items=items, next_cursor=cursor)


async def show_waiting_notices(call: Call, conn: Connection) -> NoticesView:
    """Show notices that nobody has obeyed, and how far Stripe's event lists were read."""
    del call
    fields = {"items": await store.webhooks_by_state(conn), **await store.event_sources(conn)}
    return NoticesView.model_validate(fields)


async def obey_webhook(call: Call, event: str, body: Reasoned, conn: Connection) -> DeedDone:
    """Have a notice obeyed that matched nothing of ours when it came."""
    return await do(call, conn, commands.obey_webhook, _deed(call, "obey_webhook", event, body))


async def read_events(call: Call, body: Reasoned, conn: Connection) -> DeedDone:
    """Have Stripe's event lists read now, for what no notice brought."""
    deed = _deed(call, "read_events", "event_lists", body)
    return await do(call, conn, commands.read_events, deed)


def _deed(call: Call, action: str, subject: str, body: Reasoned) -> Deed:
    return Deed(str(call.person_id), action, subject, body.reason)
