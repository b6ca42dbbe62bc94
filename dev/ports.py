"""Free ports on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"
_CONNECT_SECONDS = 1.0


def free_ports(count: int) -> list[int]:
    """Return that many different ports that nobody listens on at this moment."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


def is_free(port: int) -> bool:
    """Whether somebody could listen on this port now."""
    with socket.socket() as trial:
        # As servers do: connections of a former owner that linger in TIME_WAIT do not count.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


async def answers(port: int) -> bool:
    """Whether somebody accepts connections on this port."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
