"""What a job file may say about an attack: typed, with unknown keys refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from bnnray.network import Quantizer
from bnnray.threat import Domain

UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_seconds(value: Any) -> Any:
    """Reads a duration: a number of seconds, or text such as "10s", "3min", "1.5h"."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-z]+)\s*", value)
    if not match or match[2] not in UNITS:
        raise ValueError('expected a duration such as "10s", "3min" or "1.5h"')
    return float(match[1]) * UNITS[match[2]]


def format_seconds(seconds: float) -> str:
    """The shortest text that :func:`parse_seconds` reads back."""
    for name in ("h", "min"):
        if seconds >= UNITS[name] and seconds % UNITS[name] == 0:
            return f"{_plain(seconds / UNITS[name])}{name}"
    return f"{_plain(seconds)}s"


def _plain(number: float) -> str:
    """All digits, without an exponent."""
    return f"{Decimal(repr(number)).normalize():f}"


class Outside:
    """Marks a setting that does not belong to a unit's content: a limit or a back end."""


class Later:
    """Marks a setting that came after keys were in use: its default is left out of the content,
    so that the units of older jobs keep their keys."""


LARGEST_COUNT = 2**31 - 1
Count = Annotated[int, Field(strict=True, ge=1, le=LARGEST_COUNT)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Seconds = Annotated[
    Positive,
    BeforeValidator(parse_seconds),
    PlainSerializer(format_seconds, return_type=str),
]
Limit = Annotated[Seconds, Outside()]
Stop = Literal["optimum", "flip"]
BackendName = Literal["auto", "highs", "gurobi"]
LICENSED: frozenset[BackendName] = frozenset({"auto", "gurobi"})
"""Back ends that may take a licence."""


class AttackSettings(BaseModel):
    """Base of every attack's settings.

    Attributes:
        kind: which attack.
        name: tells two attacks of one kind apart; the kind unless given.
        time_limit: of one unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    kind: str
    name: str = ""
    time_limit: Limit = 60.0

    def model_post_init(self, _context: Any) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.kind)

    def check(self, domain: Domain, max_pixels: int | None, quantizer: Quantizer | None) -> None:
        """Refuses a threat, or a network with a quantizer, that the attack cannot search.

        Raises:
            UsageError: which setting does not fit what.
        """
        if quantizer is None:
            self.check_threat(domain, max_pixels)
        else:
            self.check_quantizer()
            self.check_threat(Domain.GRID, max_pixels)

    def check_threat(self, domain: Domain, max_pixels: int | None) -> None:
        """Refuses a threat that the attack cannot search.

        Args:
            domain: of what is searched; behind a quantizer the grid.
            max_pixels: the limit, or None.

        Raises:
            UsageError: which setting does not fit what.
        """

    def check_quantizer(self) -> None:
        """Refuses a model that begins with a quantizer, where the attack cannot search it.

        Raises:
            UsageError: which setting does not fit.
        """

    @property
    def searches(self) -> tuple[AttackSettings, ...]:
        """The settings of each search that the attack consists of."""
        return (self,)

    @property
    def backends(self) -> frozenset[BackendName]:
        """The MILP back ends that its searches ask for."""
        return frozenset(s.backend for s in self.searches if hasattr(s, "backend"))

    @property
    def licensed(self) -> bool:
        """Whether a search may start an environment of Gurobi, which takes a licence."""
        return bool(self.backends & LICENSED)

    def content(self) -> dict[str, Any]:
        """The settings that can change an answer: no limits, no back end."""
        return _content(self)


def _content(settings: BaseModel) -> dict[str, Any]:
    content: dict[str, Any] = {}
    written = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        marks = (*field.metadata, *get_args(field.annotation))
        if _has(marks, Outside) or (_has(marks, Later) and value == field.default):
            continue
        content[name] = _of_sections(value, written[name])
    return content


def _of_sections(value: Any, written: Any) -> Any:
    if isinstance(value, BaseModel):
        return _content(value)
    if isinstance(value, tuple) and all(isinstance(v, BaseModel) for v in value):
        return [_content(v) for v in value]
    return written


def _has(marks: Iterable[Any], kind: type) -> bool:
    return any(isinstance(mark, kind) for mark in marks)
