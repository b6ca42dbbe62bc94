"""Booking: pure rules in milliseconds, then commands, events and HTTP on real PostgreSQL."""
