"""One server of the fake table: `python fake_server.py NAME PORT JOURNAL`.

It answers every GET, and writes to the journal when it begins and when it is asked to end.
"""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


def _serve(name: str, port: int, journal: Path) -> None:
    def write(line: str) -> None:
        with journal.open("a") as file:
            file.write(f"{name} {line}\n")

    def end(_number: int, _frame: FrameType | None) -> None:
        write("ends")
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    server = HTTPServer(("127.0.0.1", port), _Answer)
    write("begins")
    server.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
