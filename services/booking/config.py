"""Settings of booking, from the environment; read by `app` alone."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.booking.domain.calendars import Reach
from services.booking.domain.terms import Terms
from shared.config import Currencies, Networks
from shared.money import CURRENCIES


class BookingSettings(BaseSettings):
    """Where things are, and the numbers of the business (defaults: the product's)."""

    model_config = SettingsConfigDict(env_prefix="BOOKING_", extra="ignore")

    database_url: str
    migrate_database_url: str | None = None
    jwks_url: str = Field(validation_alias="PROFILES_JWKS_URL")
    web_url: str = Field(description="Where the web client is, for links in calendars.")
    settlement_currencies: Currencies = Field(
        default=tuple(sorted(CURRENCIES)),
        validation_alias="PAYMENTS_SETTLEMENT_CURRENCIES",
        description="What payments can be settled in; nothing else is put up for sale.",
    )
    hold_minutes: int = Field(default=15, ge=1, le=120)
    hold_grace_minutes: int = Field(default=2, ge=0, le=60)
    completion_hours: int = Field(default=24, ge=0, le=24 * 14)
    join_early_minutes: int = Field(default=15, ge=0, le=120)
    join_late_minutes: int = Field(default=30, ge=0, le=240)
    open_holds: int = Field(default=3, ge=1, le=50)
    lapses_a_day: int = Field(default=20, ge=1, le=1_000)
    request_answer_hours: int = Field(default=48, ge=1, le=24 * 14)
    request_payment_hours: int = Field(default=24, ge=1, le=24 * 14)
    offer_answer_minutes: int = Field(default=120, ge=5, le=24 * 60)
    moves: int = Field(default=2, ge=0, le=20)
    move_answer_hours: int = Field(default=48, ge=1, le=24 * 14)
    absent_after_minutes: int = Field(default=15, ge=1, le=60)
    objection_days: int = Field(default=14, ge=1, le=365)

    calendar_networks: Networks = ()
    """Where calendars are also read from, over http too: never in production, it opens our net."""

    def terms(self) -> Terms:
        """Return the numbers of the business as the rules take them."""
        return Terms(
            hold=timedelta(minutes=self.hold_minutes),
            hold_grace=timedelta(minutes=self.hold_grace_minutes),
            completion_delay=timedelta(hours=self.completion_hours),
            join_early=timedelta(minutes=self.join_early_minutes),
            join_late=timedelta(minutes=self.join_late_minutes),
            open_holds=self.open_holds,
            lapses_a_day=self.lapses_a_day,
            request_answer=timedelta(hours=self.request_answer_hours),
            request_payment=timedelta(hours=self.request_payment_hours),
            offer_answer=timedelta(minutes=self.offer_answer_minutes),
            moves=self.moves,
            move_answer=timedelta(hours=self.move_answer_hours),
            absent_after=timedelta(minutes=self.absent_after_minutes),
            objection=timedelta(days=self.objection_days),
            settlement_currencies=frozenset(self.settlement_currencies),
        )

    def reach(self) -> Reach:
        """Return where calendars are read from."""
        return Reach(self.calendar_networks)
