"""From where a request comes, when proxies stand in between."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

Networks = tuple[IPv4Network | IPv6Network, ...]
UNKNOWN = "unknown"


def address_of(request: web.Request, trusted: Networks) -> str:
    """Return who connected; a forwarded address counts only when a trusted proxy sent it.

    Of several forwarded addresses the last counts: the one our own proxy wrote.
    """
    direct = request.remote or UNKNOWN
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")[-1].strip()
    try:
        proxied = any(ip_address(direct) in network for network in trusted)
        return str(ip_address(forwarded)) if proxied and forwarded else direct
    except ValueError:
        return direct
