"""Receipts and credit notes: everybody's own, to read and to print."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from services.payments.api.cursors import one_uuid
from services.payments.domain.documents import Document, Series
from services.payments.domain.orders import Kind
from services.payments.store import documents as store
from shared.auth import Role
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection, connection
from shared.errors import NotFound
from shared.log import logger
from shared.web import Api, Call, File, Page, PageQuery, View

PDF = "application/pdf"
DocumentKind = Literal["receipt", "credit_note"]

_log = logger("documents")


class DocumentView(View):
    """A receipt for what a card paid, or a credit note for what goes back to it."""

    document_id: UUID
    number: str
    kind: DocumentKind
    order_id: UUID
    title: str
    amount_minor: Minor
    currency: CurrencyCode
    happened_at: datetime
    issued_at: datetime


class ItemView(View):
    """One line; `session_id` where it is about one session."""

    words: str
    amount_minor: Minor
    session_id: UUID | None


class DocumentDetails(DocumentView):
    """All that is printed: the items less the discount and what credits paid are the amount."""

    mentor_id: UUID
    bought: Kind
    items: list[ItemView]
    discount_minor: Minor
    amends: bool
    credits_minor: Minor
    receipt: str | None
    reason: str | None


def add_routes(api: Api) -> None:
    """Declare the routes about receipts."""
    api.get("/v1/me/receipts")(list_receipts)
    api.get("/v1/receipts/{document_id}")(show_receipt)
    api.get("/v1/receipts/{document_id}/receipt.pdf")(print_receipt)


async def list_receipts(call: Call, query: PageQuery, conn: Connection) -> Page[DocumentView]:
    """List one's receipts and credit notes, newest first."""
    found = await store.documents_of_person(conn, call.person_id, one_uuid(query), query.limit + 1)
    items = [DocumentView.model_validate(_fields(each)) for each in found[: query.limit]]
    more = len(found) > query.limit
    return Page(items=items, next_cursor=Page.cursor(items[-1].document_id) if more else None)


async def show_receipt(call: Call, document_id: UUID, conn: Connection) -> DocumentDetails:
    """Show a receipt or a credit note to whom it was issued to, or to an operator."""
    document = await _own(call, conn, document_id)
    content = document.content
    return DocumentDetails(
        **_fields(document),
        mentor_id=content.mentor_id,
        bought=content.kind,
        items=[ItemView.model_validate(vars(item)) for item in content.items],
        discount_minor=content.discount_minor,
        amends=content.amends,
        credits_minor=content.credits_minor,
        receipt=content.receipt,
        reason=content.reason,
    )


async def print_receipt(call: Call, document_id: UUID) -> Annotated[File, PDF]:
    """Show a receipt or a credit note as it is printed."""
    async with connection(call.pool) as conn:
        document = await _own(call, conn, document_id)
    return File(content=await asyncio.to_thread(_printed, document))


def _printed(document: Document) -> bytes:
    # Brought when somebody prints: it takes as long as a third of the start of a process.
    from services.payments.domain.printing import receipt_pdf

    return receipt_pdf(document)


async def _own(call: Call, conn: Connection, document_id: UUID) -> Document:
    document = await store.load_document(conn, document_id)
    if document is None:
        raise NotFound
    if document.person_id != call.person_id:
        note_look(call, "document", document_id)
    return document


def note_look(call: Call, what: str, its_id: UUID) -> None:
    """Write into the log that an operator opens what is somebody else's; raises `NotFound`."""
    if not call.who.is_a(Role.OPERATOR):
        raise NotFound
    _log.info("opened_by_operator", what=what, id=str(its_id), operator=str(call.person_id))


def _fields(document: Document) -> dict[str, Any]:
    content = document.content
    return {
        "document_id": document.document_id,
        "number": document.name,
        "kind": "receipt" if document.series is Series.RECEIPT else "credit_note",
        "order_id": content.order_id,
        "title": content.title,
        "amount_minor": content.amount_minor,
        "currency": content.currency,
        "happened_at": content.happened_at,
        "issued_at": document.issued_at,
    }
