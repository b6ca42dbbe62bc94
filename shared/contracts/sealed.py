"""What lies inside the sealed payloads: never on a topic, in a log or a dead letter in clear."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Contact(BaseModel):
    """How to reach a person and how to speak to them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    person_id: UUID
    version: int
    name: str
    email: str
    locale: str
    zone: str


class OneTimeMessage(BaseModel):
    """The secret part of a message about an account; `link` holds the token."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    email: str
    name: str
    locale: str
    link: str
    expires_at: AwareDatetime
