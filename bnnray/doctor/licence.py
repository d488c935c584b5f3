"""Gurobi's licence, looked at without taking one of its tokens.

Only pip's own is tried out, as it has none to take. Of others the file is read: its date and
version are compared, and a server is asked for nothing but a connection.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import importlib.util
import os
import socket
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from bnnray.doctor.finding import Finding, failure, note, ok, warning
from bnnray.doctor.places import reason
from bnnray.doctor.setting import Setting

VARIABLE = "GRB_LICENSE_FILE"
FILE = "gurobi.lic"
OPTIONS = "gurobi.env"
"""Gurobi reads it where it starts, and it may name a server."""

TOKEN_PORT = 41954
WEB = ("token.gurobi.com", 443)
CONNECT_SECONDS = 3.0
SOON_DAYS = 30
REMEDY = f"name another in {VARIABLE}, unset it for pip's own, or use HiGHS"

Keys = Mapping[str, str]


def check_gurobi(setting: Setting) -> Finding:
    """The licence that Gurobi will take here."""
    if importlib.util.find_spec("gurobipy") is None:
        return failure("gurobipy is not installed", "pip install gurobipy")
    path = licence_file()
    if path is None:
        return failure("no licence file in Gurobi's places, nor pip's own", REMEDY)
    try:
        keys = read_keys(path.read_text(errors="replace"))
    except OSError as error:
        return failure(f"cannot read {path}: {reason(error)}", REMEDY)
    return judge(keys, path, date.today())


def licence_file() -> Path | None:
    """The file that Gurobi takes: the one named, else the first in its places, else pip's own."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return next((path for path in _places() if path.is_file()), None)


def read_keys(text: str) -> dict[str, str]:
    """The values of a licence file by their names, which are lines "NAME=value"."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip().upper(): value.strip() for name, _, value in pairs}


def judge(keys: Keys, path: Path, today: date) -> Finding:
    """What to say about a licence file.

    Args:
        keys: what it says.
        path: the file.
        today: compared with its date.
    """
    if "TOKENSERVER" in keys:
        return _token_server(keys, path)
    if "WLSACCESSID" in keys:
        return _web(path)
    if "TYPE" not in keys:
        servers = {"COMPUTESERVER", "CSMANAGER", "CLOUDACCESSID"} & keys.keys()
        if servers:
            return note(f"{path} names a server ({min(servers)}), which is not asked")
        return failure(f"{path} is no licence: it names no type and no server", REMEDY)
    return _dated(keys, path, today)


def _dated(keys: Keys, path: Path, today: date) -> Finding:
    """A licence of this machine's own."""
    kind = keys["TYPE"]
    said = f"{path} ({kind})" if kind != "PIP" else "pip's own, of 2,000 variables and rows"
    try:
        end = date.fromisoformat(keys.get("EXPIRATION", str(date.max)))
    except ValueError:
        return warning(f"{said}: EXPIRATION={keys['EXPIRATION']} is no date", REMEDY)
    if end < today:
        return failure(f"{said}: expired on {end}", REMEDY)
    user, version = keys.get("USERNAME"), keys.get("VERSION", "")
    if user is not None and user != getpass.getuser():
        return failure(f"{said}: for the user {user}, not {getpass.getuser()}", REMEDY)
    if version.isdecimal() and int(version) < _major():
        return failure(f"{said}: for Gurobi {version}; installed is {_installed()}", REMEDY)
    if kind == "PIP" and not Path(OPTIONS).exists():
        _try_out()
    if (end - today).days <= SOON_DAYS:
        return warning(f"{said}: expires on {end}", "get a new licence in time")
    return ok(f"{said}, until {end}" if end < date.max else said)


def _token_server(keys: Keys, path: Path) -> Finding:
    port = int(keys["PORT"]) if keys.get("PORT", "").isdecimal() else TOKEN_PORT
    servers = [name.strip() for name in keys["TOKENSERVER"].split(",") if name.strip()]
    said = f"{path}: token server"
    for server in servers:
        if _answers(server, port):
            return ok(f"{said} {server} answers at port {port}; no token was taken")
    return failure(f"{said} {', '.join(servers)} does not answer at port {port}", REMEDY)


def _web(path: Path) -> Finding:
    said = f"{path}: Gurobi's web licence service"
    if _answers(*WEB):
        return ok(f"{said} answers; no token was taken")
    return failure(f"{said} does not answer", f"this machine must reach {WEB[0]}; or use HiGHS")


def _answers(server: str, port: int) -> bool:
    try:
        socket.create_connection((server, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _try_out() -> None:
    """Starts Gurobi and ends it.

    Raises:
        LicenceError: it does not start.
    """
    from bnnray.solvers import check_licence

    check_licence()


def _places() -> Iterator[Path]:
    """Where Gurobi for Linux looks without a name, in its order."""
    numbers = _installed().split(".")
    for count in (3, 2):
        yield Path(f"/opt/gurobi{''.join(numbers[:count])}") / FILE
    yield Path("/opt/gurobi") / FILE
    yield Path.home() / FILE
    spec = importlib.util.find_spec("gurobipy")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / ".libs" / FILE


def _major() -> int:
    return int(_installed().split(".")[0])


def _installed() -> str:
    return importlib.metadata.version("gurobipy")
