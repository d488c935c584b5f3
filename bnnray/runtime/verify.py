"""One question, asked and answered at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from bnnray.attacks import Attack, Outcome, Task, attack_type
from bnnray.attacks.settings import format_seconds
from bnnray.datasets import Dataset
from bnnray.errors import UsageError
from bnnray.models import Model
from bnnray.processes import Nursery
from bnnray.report import Picture, make_picture
from bnnray.solvers import CHILD_MODULES, Child, InProcess, Solver
from bnnray.threat import ANY, Question, Threat, format_epsilon
from bnnray.verdicts import Verdict

SOLVED_ELSEWHERE = ("milp", "sat")
"""Attacks whose solvers may have to be killed at the limit."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What an attack found out about one image.

    Args:
        question: what was asked.
        outcome: what came of it.
        attack: its kind.
        time_limit: in seconds.
    """

    question: Question
    outcome: Outcome
    attack: str
    time_limit: float

    def __str__(self) -> str:
        """One plain sentence."""
        outcome, question = self.outcome, self.question
        budget = f"epsilon {format_epsilon(question.threat.epsilon)}"
        if outcome.verdict is Verdict.VULNERABLE and outcome.incumbent is not None:
            replayed = outcome.incumbent.replayed
            largest = format_epsilon(max(map(abs, replayed.changes), default=Fraction(0)))
            found = f"changing {len(replayed.changes)} pixels by at most {largest} turns class"
            if not replayed.changes:
                return f"vulnerable: unchanged, it is of class {replayed.adversarial_class} already"
            return f"vulnerable: {found} {question.attacked} into {self._reached}"
        if outcome.verdict is Verdict.ROBUST:
            return (
                f"robust: no input within {budget} turns class {question.attacked} into "
                f"{self._wanted} (proof: {outcome.proof.value})"
            )
        if not question.targets:
            return f"unknown: {outcome.message}"
        limit = format_seconds(self.time_limit)
        why = f"{outcome.status.value}{': ' * bool(outcome.message)}{outcome.message}"
        return f"unknown: neither a flip nor a proof within {limit} ({why})"

    @property
    def _wanted(self) -> str:
        targets = self.question.targets
        return "another one" if self.question.threat.goal.name == ANY else f"class {targets[0]}"

    @property
    def _reached(self) -> str:
        assert self.outcome.incumbent is not None
        reached = self.outcome.incumbent.replayed.adversarial_class
        return f"class {reached}" if reached != self.question.attacked else "a tie"

    def fields(self) -> dict[str, Any]:
        """The same for programs; numbers that are exact in bnnray are rounded to doubles."""
        question, outcome, threat = self.question, self.outcome, self.question.threat
        incumbent = outcome.incumbent
        return {
            "verdict": outcome.verdict.value,
            "proof": outcome.proof.value,
            "status": outcome.status.value,
            "label": question.label,
            "predicted": question.predicted,
            "targets": list(question.targets),
            "goal": threat.goal.name,
            "against": threat.against.value,
            "domain": threat.domain.value,
            "epsilon": float(threat.epsilon),
            "attack": self.attack,
            "backend": outcome.effort.backend,
            "objective": None if incumbent is None else float(incumbent.objective),
            "bound": None if outcome.bound is None else float(outcome.bound),
            "adversarial_class": None
            if incumbent is None
            else incumbent.replayed.adversarial_class,
            "linf": None if incumbent is None else incumbent.replayed.linf,
            "l0": None if incumbent is None else incumbent.replayed.l0,
            "seconds": outcome.seconds,
            "message": outcome.message,
        }

    @property
    def picture(self) -> Picture:
        """The best input that was found, beside the image."""
        incumbent = self.outcome.incumbent
        clean = self.question.region.clean_witness
        return make_picture(self.question, clean if incumbent is None else incumbent.witness)


def verify(
    model: Model, data: Dataset, point: int, threat: Threat, kind: str, time_limit: float
) -> Answer:
    """Asks one attack whether an image can be flipped.

    Args:
        point: number of the image in the split.
        kind: of the attack, which can prove; its other settings are the defaults.
        time_limit: seconds.

    Raises:
        UsageError: no such point or attack, or an attack that the threat does not fit.
    """
    if not 0 <= point < len(data):
        raise UsageError(
            f"point: {data.name} {data.split} has points 0 to {len(data) - 1}; got {point}"
        )
    attack = _make(kind, {"kind": kind, "stop": "flip", "time_limit": time_limit})
    label = int(data.labels[point])
    question = Question(model.network, data.pixels(point), data.levels, label, threat)
    with _solver(attack) as solver:
        (outcome,) = attack.run([Task(question, 0)], solver)
    return Answer(question, outcome, kind, time_limit)


def _make(kind: str, settings: Mapping[str, Any]) -> Attack[Any]:
    found = attack_type(kind)
    if not found.complete:
        raise UsageError(f'{kind} can prove nothing; use "cascade", "exact", "milp" or "sat"')
    return found(found.settings_type.model_validate(settings))


@contextmanager
def _solver(attack: Attack[Any]) -> Iterator[Solver]:
    if attack.kind not in SOLVED_ELSEWHERE:
        yield InProcess()
        return
    nursery = Nursery([*CHILD_MODULES, *attack.modules])
    child = Child(nursery.ready())
    try:
        yield child
    finally:
        child.close()
        nursery.close()
