"""From where a request comes: only a trusted proxy may say so for somebody else."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request

from shared.web.caller import Networks, address_of

LOOPBACK: Networks = (ip_network("127.0.0.1/32"),)


class _Transport:
    """A connection from this machine."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return where the connection comes from."""
        return ("127.0.0.1", 50000) if name == "peername" else default


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        (LOOPBACK, "203.0.113.7", "203.0.113.7"),
        (LOOPBACK, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (LOOPBACK, "nonsense", "127.0.0.1"),
        (LOOPBACK, "", "127.0.0.1"),
        ((), "203.0.113.7", "127.0.0.1"),
        ((ip_network("10.0.0.0/8"),), "203.0.113.7", "127.0.0.1"),
    ],
)
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(
    trusted: Networks, forwarded: str, expected: str
) -> None:
    """Of several the last counts; what is no address counts for nothing."""
    request = make_mocked_request(
        "GET", "/", headers={"X-Forwarded-For": forwarded}, transport=_Transport()
    )
    assert address_of(request, trusted) == expected
