"""Site profiles: what differs from cluster to cluster, in one TOML file each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_config_path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from bnnray.attacks import Count, Seconds
from bnnray.errors import SiteError, unknown_name
from bnnray.job import Tokens, first_error
from bnnray.processes import format_bytes, parse_bytes
from bnnray.submit.shipped import SHIPPED
from bnnray.submit.times import parse_time

PREFIX = "site."
"""Of the places that ``--set`` changes in a profile and not in the job."""


LONGEST_SCRATCH = 25


def _read_bytes(value: Any) -> Any:
    return parse_bytes(value) if isinstance(value, str) else value


def _check_time(value: str) -> str:
    parse_time(value)
    return value


def _check_line(value: str) -> str:
    if "\n" in value or "\0" in value:
        raise ValueError("expected one line")
    return value


def _check_scratch(value: str) -> str:
    if not value.startswith("/") or len(value.encode()) > LONGEST_SCRATCH:
        raise ValueError(
            f"expected a folder from / on, of at most {LONGEST_SCRATCH} bytes, as the paths of "
            "Ray's sockets below it must not be longer than 107"
        )
    return value


Line = Annotated[str, BeforeValidator(_check_line)]
Scratch = Annotated[Line, AfterValidator(_check_scratch)]
Bytes = Annotated[
    Annotated[int, Field(strict=True, ge=2**30)],
    BeforeValidator(_read_bytes),
    PlainSerializer(format_bytes, return_type=str),
]
Time = Annotated[Line, BeforeValidator(_check_time)]


class Site(BaseModel):
    """How jobs run on one cluster.

    Attributes:
        partition, account, licences: for Slurm's options of the same names; none unless given.
        gurobi_tokens: how many units may hold a licence of Gurobi at a time, of a job that names no
            other number; "unlimited" unless given.
        nodes: of a job that names no other number.
        time: limit of a Slurm job, as Slurm writes it: "30", "12:00:00", "1-12".
        cores: that a job takes of each node.
        memory: that it takes of each node, in bytes; the site's own default unless given.
        gpus: of each node.
        options: more options for sbatch, such as "--constraint=skylake".
        setup: lines of bash that run first, such as "module load python".
        python: the interpreter with bnnray; that of ``bnnray submit`` unless given.
        apptainer: an image with bnnray, in which its commands and Ray's run.
        apptainer_options: such as "--bind=/data".
        scratch: a folder on each node's own disk, short, as Ray keeps sockets there.
        interface: the network to use, such as "ib0"; that of the node's first address unless given.
        login_host: where ssh tunnels begin; where ``bnnray dashboard`` runs unless given.
        requeue: whether the site lets a job ask to be run again.
        max_requeues: how often it does.
        drain: how long before the time limit a job stops taking up units.
        node_wait: how long a job waits for its nodes before it begins with those that came.
        min_nodes: with fewer it does not begin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    partition: Line | None = None
    account: Line | None = None
    licences: Line | None = None
    gurobi_tokens: Tokens = "unlimited"
    nodes: Count = 1
    time: Time = "1:00:00"
    cores: Count = 4
    memory: Bytes | None = None
    gpus: Annotated[int, Field(strict=True, ge=0)] = 0
    options: tuple[Line, ...] = ()
    setup: tuple[Line, ...] = ()
    python: Line | None = None
    apptainer: Line | None = None
    apptainer_options: tuple[Line, ...] = ()
    scratch: Scratch = "/tmp"
    interface: Line = ""
    login_host: Line | None = None
    requeue: bool = True
    max_requeues: Count = 20
    drain: Seconds = 120.0
    node_wait: Seconds = 300.0
    min_nodes: Count = 1

    @property
    def requeues(self) -> int:
        """How often a job may be run again by itself."""
        return self.max_requeues if self.requeue else 0


def load_site(name: str, project: Path, flags: Mapping[str, Any]) -> Site:
    """A site's profile: the one that comes along, with what the user's and the project's change.

    Args:
        name: of the site, such as "generic".
        project: the folder whose ``cluster`` is looked into.
        flags: values that come before those of all files.

    Raises:
        SiteError: no such site, or a file or flag with an unknown key or an impossible value.
    """
    places = [SHIPPED / "cluster", user_config_path("bnnray") / "sites", project / "cluster"]
    files = [path for place in places if (path := place / f"{name}.toml").is_file()]
    if not files:
        known = {path.stem for place in places for path in place.glob("*.toml")}
        raise SiteError(unknown_name("site", name, known))
    values: dict[str, Any] = {}
    for path in files:
        values |= _read(path)
    return _check({**values, **flags}, "the command line")


def read_flags(overrides: Sequence[str]) -> dict[str, Any]:
    """The values of ``--set site.KEY=VALUE``, without the others.

    Raises:
        SiteError: one without a value.
    """
    found = [text.removeprefix(PREFIX) for text in overrides if text.startswith(PREFIX)]
    return dict(map(_flag, found))


def _flag(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise SiteError(f"--set takes place=value, such as site.cores=16; got {PREFIX}{text!r}")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(f"cannot read the site profile {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SiteError(f"{path} is not valid TOML: {error}") from None
    _check(values, str(path))
    return values


def _check(values: Mapping[str, Any], where: str) -> Site:
    try:
        return Site.model_validate(values)
    except ValidationError as error:
        raise SiteError(str(first_error(error, Site, where))) from None
