"""Tests that share a marketplace or a server stay in one process, however many run."""

from __future__ import annotations

import os

import pytest


@pytest.mark.xdist_group("together")
def test_groups_are_heard(request: pytest.FixtureRequest) -> None:
    """A group is in a test's id wherever several processes run, and so in who runs it."""
    several = "PYTEST_XDIST_WORKER" in os.environ
    assert request.node.nodeid.endswith("@together") is several
