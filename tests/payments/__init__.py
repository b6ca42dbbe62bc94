"""Tests of `payments`."""
