"""What can go wrong, in four kinds that the plumbing treats differently.

A `Refusal` is an answer of the business and reaches the person. `Missing` says that a fact came
before the one it needs: it is kept aside and taken up later. A transient error (see
`is_transient`) goes away by itself and is tried again for as long as it takes. Everything else is
a mistake of ours: 500 without detail over HTTP, a dead letter when it comes from an event.
"""

from __future__ import annotations

import asyncio
from enum import Enum

import asyncpg


class Kind(Enum):
    """What a refusal means for whoever asked; one table in `shared.web` maps it to a status."""

    UNREADABLE = "unreadable"
    SHAPE = "shape"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    OUTDATED = "outdated"
    CONDITION_MISSING = "condition_missing"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


class Refusal(Exception):
    """The business says no. `code` is stable, `detail` says what to do next.

    Subclasses name the obstacle and set `code`, `kind` and `detail`; `facts` carries what a client
    may act on (never personal data).
    """

    code: str = "refused"
    kind: Kind = Kind.CONFLICT
    detail: str = "This cannot be done."

    def __init__(self, detail: str | None = None, **facts: str | int | bool | None) -> None:
        super().__init__(detail or self.detail)
        self.facts = facts
        if detail:
            self.detail = detail


class NotFound(Refusal):
    """It does not exist, or it is somebody else's: the answer is the same."""

    code = "not_found"
    kind = Kind.NOT_FOUND
    detail = "There is nothing here that you may see."


class Missing(Exception):
    """An event needs something that has not arrived yet; `what` names it (`order:…`)."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Unfinished(Exception):
    """An outside party did not answer in time or answered that it is away; try again."""


_TRANSIENT: tuple[type[BaseException], ...] = (
    Unfinished,
    TimeoutError,
    asyncio.TimeoutError,
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A server that is killed leaves the protocol of a connection in the middle of a message.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.LockNotAvailableError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
)
"""The closed list of what goes away by itself: connections, serialization, deadlines, resources."""

RERUN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""What PostgreSQL asks to be run again at once, as a whole transaction."""


def is_transient(error: BaseException) -> bool:
    """Return whether an error goes away by itself, so that trying again for ever is right."""
    if isinstance(error, asyncpg.InterfaceError):
        return "connection" in str(error) or "pool" in str(error)
    return isinstance(error, _TRANSIENT) or (
        isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError)
    )
