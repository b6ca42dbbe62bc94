"""docs/operating.md names the events that our endpoints listen to, as the code obeys them."""

from __future__ import annotations

import re
from typing import get_args, get_type_hints

import pytest
import stripe

from services.payments.domain.notices import About, about
from tests.house.sources import REPOSITORY

KNOWN = frozenset(get_args(get_type_hints(stripe.Event)["type"]))
CONNECTED = {About.ACCOUNT, About.PAYOUT}


def named(path: str) -> set[str]:
    """Return the types that the step of the page names for an endpoint."""
    page = (REPOSITORY / "docs" / "operating.md").read_text()
    (line,) = re.findall(rf"^ +- `{path}` is .*$", page, re.MULTILINE)
    return set(re.findall(r"`([a-z_]+\.[a-z_.]+)`", line))


@pytest.mark.parametrize(
    ("path", "obeyed"),
    [
        ("/webhooks/stripe", set(About) - CONNECTED - {About.NOTHING}),
        ("/webhooks/stripe-connect", CONNECTED),
    ],
)
def test_an_endpoint_listens_to_what_is_obeyed(path: str, obeyed: set[About]) -> None:
    """Stripe knows each type, each leads somewhere, and nothing that is obeyed is forgotten."""
    types = named(path)
    assert not types - KNOWN
    assert {about(each) for each in types} == obeyed
