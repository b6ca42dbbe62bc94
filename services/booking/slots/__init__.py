"""Which starts a mentor offers: a pure function of rules, busy times, policy and now.

`rules` is what a mentor says, `clock` what their clocks show, `hours` turns wall-clock hours into
instants, `caps` counts, and `free` puts them together. All intervals are half-open.
"""

from services.booking.slots.caps import leave_room
from services.booking.slots.clock import WallClock, instants_at, wall_clock
from services.booking.slots.free import free_slots, is_offered
from services.booking.slots.interval import Interval, merged
from services.booking.slots.rules import (
    MINUTES_PER_DAY,
    Caps,
    Hours,
    Override,
    Rules,
    SlotPolicy,
    Travel,
    WeeklyHours,
    zone_on,
)

__all__ = [
    "MINUTES_PER_DAY",
    "Caps",
    "Hours",
    "Interval",
    "Override",
    "Rules",
    "SlotPolicy",
    "Travel",
    "WallClock",
    "WeeklyHours",
    "free_slots",
    "instants_at",
    "is_offered",
    "leave_room",
    "merged",
    "wall_clock",
    "zone_on",
]
