"""Tests of the service that speaks to people."""
