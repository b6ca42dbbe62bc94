"""The envelope every fact travels in: CloudEvents 1.0 in Kafka's binary content mode.

The attributes are record headers with the prefix `ce_`, the value is the fact as JSON
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md).
A tombstone on a compacted topic has no value; its data travels in the header `data`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

SPEC_VERSION = "1.0"
TYPE_PREFIX = "mentorium."
TYPE_HEADER = "ce_type"
TRACE_HEADER = "ce_traceparent"
_DATA_HEADER = "data"

Headers = Sequence[tuple[str, bytes]]
AnyFact = TypeVar("AnyFact", bound="Fact")


class Fact(BaseModel):
    """Something that happened, told to whoever listens.

    Facts only ever gain optional fields; readers ignore the ones they do not know. `version` rises
    by one with every fact of one aggregate, so that a reader can see gaps and refuse the past.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    key_field: ClassVar[str]
    tombstone: ClassVar[bool] = False

    version: int = Field(
        ge=1, description="Rises by one with every fact of the same aggregate.", examples=[1]
    )

    @property
    def key(self) -> str:
        """Return the record key: the order of a purchase, else the aggregate's id."""
        return str(getattr(self, self.key_field))

    @classmethod
    def type_name(cls) -> str:
        """Return the CloudEvents type, for example `mentorium.booking.BookingHeld`."""
        speaker = cls.topic.split(".", 1)[0]
        return f"{TYPE_PREFIX}{speaker}.{cls.__name__}"


class EventInvalid(ValueError):
    """A record is no event of ours: an attribute is missing or its data has the wrong shape."""


class Event(BaseModel):
    """One fact in its envelope, as bytes on their way or just arrived."""

    model_config = ConfigDict(frozen=True)

    event_id: UUID
    source: str = Field(description="Who speaks, for example /services/booking.")
    type: str
    subject: str = Field(description="The key: the order, else the aggregate.")
    time: AwareDatetime = Field(description="The business instant at which it happened.")
    traceparent: str | None = None
    tombstone: bool = False
    data: bytes

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the record headers of the binary content mode."""
        pairs = {
            "ce_specversion": SPEC_VERSION,
            "ce_id": str(self.event_id),
            "ce_source": self.source,
            TYPE_HEADER: self.type,
            "ce_subject": self.subject,
            "ce_time": self.time.isoformat(),
            "content-type": "application/json",
        }
        if self.traceparent:
            pairs[TRACE_HEADER] = self.traceparent
        encoded = [(name, value.encode()) for name, value in pairs.items()]
        return [*encoded, (_DATA_HEADER, self.data)] if self.tombstone else encoded

    def value(self) -> bytes | None:
        """Return the record value: the data, or nothing for a tombstone."""
        return None if self.tombstone else self.data

    def read(self, kind: type[AnyFact]) -> AnyFact:
        """Return the data as a fact of one kind; raises `EventInvalid`."""
        try:
            return kind.model_validate_json(self.data)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            raise EventInvalid(f"{self.type}: {problems}") from None


def enclose(
    fact: Fact, *, event_id: UUID, source: str, time: datetime, traceparent: str | None = None
) -> Event:
    """Put a fact into its envelope."""
    return Event(
        event_id=event_id,
        source=source,
        type=fact.type_name(),
        subject=fact.key,
        time=time,
        traceparent=traceparent,
        tombstone=fact.tombstone,
        data=fact.model_dump_json(exclude_none=True).encode(),
    )


def open_envelope(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Event:
    """Read a Kafka record; raises `EventInvalid` when it is no CloudEvent of ours."""
    found = dict(headers)
    try:
        return Event(
            event_id=UUID(found["ce_id"].decode()),
            source=found["ce_source"].decode(),
            type=found[TYPE_HEADER].decode(),
            subject=found["ce_subject"].decode(),
            time=datetime.fromisoformat(found["ce_time"].decode()),
            traceparent=found[TRACE_HEADER].decode() if TRACE_HEADER in found else None,
            tombstone=value is None,
            data=value if value is not None else found[_DATA_HEADER],
        )
    except KeyError as missing:
        raise EventInvalid(f"the attribute {missing} is missing") from missing
    except ValueError as wrong:
        raise EventInvalid("an attribute has the wrong shape") from wrong
