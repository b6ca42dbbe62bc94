"""Time: offerings, availability, slots, holds, sessions, cancellation, attendance and goals."""
