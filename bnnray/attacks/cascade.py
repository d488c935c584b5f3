"""One attack that runs others one after the other on a question, until it is settled.

What finds flips fast comes first, what proves comes last. The stages share the incumbent, the
bounds and the clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    BeforeValidator,
    PlainSerializer,
    SerializationInfo,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bnnray.attacks.base import Attack, why_failed
from bnnray.attacks.bounds import TargetBounds
from bnnray.attacks.search import Effort, Search
from bnnray.attacks.settings import AttackSettings, Stop, format_seconds
from bnnray.attacks.single import SINGLE
from bnnray.encodings import interval_ranges
from bnnray.errors import LicenceWait, ProcessError, UsageError, unknown_name
from bnnray.threat import Domain
from bnnray.verdicts import Status

DEFAULT_STAGES: tuple[Mapping[str, Any], ...] = (
    {"kind": "pgd", "surrogate": "reachable-tanh", "restarts": 2, "time_limit": "1s"},
    {"kind": "exact", "name": "exact-brief", "time_limit": "2s"},
    {"kind": "lns", "time_limit": "5s"},
    {"kind": "exact"},
)
"""The stages of a cascade that names none. Gradients are brief: where they fail at first they
seldom succeed later. The exact search mostly decides within a tenth of a second; where it does not,
the large-neighbourhood search finds flips that the tree would come to much later."""

INTERVALS = "intervals"
"""What comes before the stages where one of them can prove: interval arithmetic, within a
millisecond, proves many a question of a small budget robust."""

SHARED = ("stop", "minimize")
"""What a stage cannot have of its own."""


def _read_stage(table: Any) -> AttackSettings:
    kind = table.get("kind") if isinstance(table, Mapping) else None
    if not isinstance(kind, str):
        raise ValueError(f"expected a table with a kind, one of {', '.join(SINGLE)}")
    if kind == "cascade":
        raise ValueError("a cascade cannot be a stage; list its stages here instead")
    if kind not in SINGLE:
        raise ValueError(unknown_name("kind of stage", kind, SINGLE))
    if "stop" in table:
        raise ValueError("the cascade's stop holds for all its stages; leave it out here")
    if "minimize" in table:
        raise ValueError("a cascade looks for the largest objective; leave out minimize")
    return SINGLE[kind].settings_type.model_validate(table)


def _table(stage: AttackSettings) -> dict[str, Any]:
    """What was set of a stage, as a job file says it."""
    return {"kind": stage.kind, **stage.model_dump(exclude_unset=True)}


def _write_stage(stage: AttackSettings, info: SerializationInfo) -> dict[str, Any]:
    return stage.model_dump(mode=info.mode, exclude=set(SHARED), exclude_none=info.exclude_none)


Stage = Annotated[AttackSettings, BeforeValidator(_read_stage), PlainSerializer(_write_stage)]


class CascadeSettings(AttackSettings):
    """Settings of ``kind = "cascade"``.

    Attributes:
        stop: prove the optimum, or end at the first flip or the proof that there is none; for all
            stages.
        stages: the settings of other attacks, in the order in which they run, with different
            names. The time limit of one bounds it alone; without one it may take what is left.
    """

    kind: Literal["cascade"] = "cascade"
    stop: Stop = "optimum"
    stages: tuple[Stage, ...] = cast(Any, DEFAULT_STAGES)  # read as those of a job file are

    @field_validator("stages", mode="before")
    @classmethod
    def _bounded(cls, value: Any, info: ValidationInfo) -> Any:
        """A stage without a time limit gets the cascade's."""
        if not isinstance(value, list | tuple) or not value:
            raise ValueError("expected a list of stages, one at least")
        limit = {"time_limit": info.data["time_limit"]} if "time_limit" in info.data else {}
        stages = [_table(v) if isinstance(v, AttackSettings) else v for v in value]
        return [{**limit, **s} if isinstance(s, Mapping) else s for s in stages]

    @model_validator(mode="after")
    def _told_apart(self) -> CascadeSettings:
        names = [INTERVALS, *(stage.name for stage in self.stages)]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            taken = " (so is what comes first)" if twice[0] == INTERVALS else ""
            raise ValueError(f"two stages are named {twice[0]!r}{taken}; give each its own name")
        return self

    @model_validator(mode="after")
    def _all_get_time(self) -> CascadeSettings:
        for stage in self.stages[:-1]:
            if getattr(stage, "repeat", False) and stage.time_limit >= self.time_limit:
                raise ValueError(
                    f"expected the stage {stage.name!r}, which repeats until its time_limit, to "
                    f"end before the cascade's of {format_seconds(self.time_limit)}"
                )
        return self

    @property
    def searches(self) -> tuple[AttackSettings, ...]:
        return self.stages

    def check_threat(self, domain: Domain, max_pixels: int | None) -> None:
        for stage in self.stages:
            with _named(stage):
                stage.check_threat(domain, max_pixels)

    def check_quantizer(self) -> None:
        for stage in self.stages:
            with _named(stage):
                stage.check_quantizer()


@contextmanager
def _named(stage: AttackSettings) -> Iterator[None]:
    """Puts a stage's name before what it refuses."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"stage {stage.name!r}: {error}") from None


class Cascade(Attack[CascadeSettings]):
    """Interval arithmetic, if there is anything to prove, then the stages until one has settled the
    question, or none is left, or no time.

    A stage that fails is passed over: what it found before counts if it was replayed, what it
    proved counts unless it crashed.
    """

    kind: ClassVar[str] = "cascade"
    settings_type: ClassVar[type[AttackSettings]] = CascadeSettings
    complete: ClassVar[bool] = True  # that is, where a stage is: each is held to its own

    def __init__(self, settings: CascadeSettings) -> None:
        super().__init__(settings)
        self._stages = [SINGLE[stage.kind](stage) for stage in settings.stages]

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(m for stage in self._stages for m in stage.modules))

    def search(self, search: Search) -> Status:
        status = Status.TIME_LIMIT
        if _end(search) is None and any(stage.complete for stage in self._stages):
            with _noted(search, INTERVALS):
                TargetBounds(search, interval_ranges(search.question)[-1])
        for stage in self._stages:
            if _end(search) is not None:
                break
            if search.remaining == 0:
                return Status.TIME_LIMIT
            status = _run(stage, search)
        return _end(search) or status


def _end(search: Search) -> Status | None:
    """Why nothing is left for a further stage, or None while something is."""
    return search.settled or (Status.OPTIMAL if search.closed else None)


def _run(stage: Attack[Any], search: Search) -> Status:
    """Runs one stage; why it ended."""
    with _noted(search, stage.settings.name):
        with _lent(search, stage):
            status = _search(stage, search)
        if status is Status.CRASHED:
            search.distrust()
    return status


@contextmanager
def _noted(search: Search, name: str) -> Iterator[None]:
    """Notes what a stage took, and whether it decided."""
    began, known = search.elapsed, (search.verdict, _end(search))
    yield
    search.stage_seconds[name] = search.elapsed - began
    if (search.verdict, _end(search)) != known:
        search.decided_by = name


def _search(stage: Attack[Any], search: Search) -> Status:
    try:
        return stage.search(search)
    except (ProcessError, LicenceWait, ConnectionError):
        raise  # the machine is to blame, all licences are taken, or nobody listens any more
    except Exception as error:  # one bad stage must not end the others
        status, search.message = why_failed(error)
        return status


@contextmanager
def _lent(search: Search, stage: Attack[Any]) -> Iterator[None]:
    """The search as a stage may use it; what it spends and says is added to what was before."""
    seed, limit, complete = search.seed, search.time_limit, search.complete
    effort, message, name = search.effort, search.message, stage.settings.name
    search.trust()
    search.seed = _seed(seed, name)
    search.time_limit = min(limit, search.elapsed + stage.settings.time_limit)
    search.complete = stage.complete
    search.effort, search.message = Effort(), ""
    try:
        yield
    finally:
        search.resume()
        search.seed, search.time_limit, search.complete = seed, limit, complete
        search.effort = effort + search.effort
        said = f"stage {name}: {search.message}" if search.message else ""
        search.message = "; ".join(filter(None, [message, said]))


def _seed(seed: int, name: str) -> int:
    """Of a stage: no other stage changes it."""
    return int(hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()[:15], 16)
