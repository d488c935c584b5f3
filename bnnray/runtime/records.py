"""From an outcome to the rows of the results, trace and witness tables."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import numpy as np

from bnnray.attacks import Outcome, failed
from bnnray.job import Unit
from bnnray.results import SCHEMA_VERSION, Record
from bnnray.runtime.context import RunContext
from bnnray.threat import Domain, Question
from bnnray.verdicts import Status


@dataclass(frozen=True)
class Span:
    """When and on what a unit ran.

    Args:
        started, finished: UTC.
        cpu_seconds: of the slot itself, without its child.
        attempt: 1 for the first try.
    """

    started: datetime
    finished: datetime
    cpu_seconds: float
    attempt: int = 1


def now() -> datetime:
    """The time in UTC, without a zone: DuckDB needs another package to hand zones out."""
    return datetime.now(UTC).replace(tzinfo=None)


def make_record(unit: Unit, outcome: Outcome, context: RunContext, span: Span) -> Record:
    """Everything that is written about a finished unit."""
    question = context.question(unit)
    row = {
        **_identity(unit, context),
        **_asked(unit, question, outcome),
        **_found(question, outcome),
        **_spent(unit, outcome, context, span),
    }
    of_row = {"key": unit.key, "finished_at": span.finished}
    trace = tuple({**of_row, **point} for point in _trace(outcome))
    witness = _witness(unit, outcome)
    return Record(
        row=row,
        trace=trace,
        witness=None if witness is None else {**of_row, **witness},
        subproblems=tuple({**of_row, **subproblem} for subproblem in _subproblems(outcome)),
        proof={**of_row, "text": outcome.proof_text} if outcome.proof_text else None,
    )


def gave_up(unit: Unit, status: Status, reason: str, attempt: int, context: RunContext) -> Record:
    """The record of a unit whose worker died, or lost its licence, at the last attempt."""
    span = Span(now(), now(), 0.0, attempt)
    return make_record(unit, failed(status, reason), context, span)


def _identity(unit: Unit, context: RunContext) -> dict[str, Any]:
    settings = unit.attack.model_dump(mode="json")
    return {
        "key": unit.key,
        "question": unit.question,
        "job": context.job,
        "dataset": context.dataset,
        "split": context.split,
        "point": unit.point,
        "model": unit.model,
        "model_digest": context.networks[unit.model].digest,
        "attack": unit.attack.name,
        "kind": unit.attack.kind,
        "minimize": settings.get("minimize"),
        "settings": json.dumps(settings, sort_keys=True),
        "seed": unit.seed,
        "versions": context.versions,
        "schema_version": SCHEMA_VERSION,
    }


def _asked(unit: Unit, question: Question, outcome: Outcome) -> dict[str, Any]:
    threat = unit.threat
    return {
        "label": question.label,
        "correct": question.predicted == question.label,
        "predicted": question.predicted,
        "target": _target(question, outcome),
        "goal": threat.goal.name,
        "against": threat.against.value,
        "tie": threat.tie.value,
        "norm": "linf",
        "epsilon": float(threat.epsilon),
        "eps_num": threat.epsilon.numerator,
        "eps_den": threat.epsilon.denominator,
        "domain": threat.domain.value,
        "levels": threat.levels if threat.domain is Domain.GRID else None,
        "mask_pixels": None if threat.mask is None else len(threat.mask),
        "max_pixels": threat.max_pixels,
        "objective_clean": float(question.clean_objective) if question.targets else None,
        "objective_max": float(question.maximum) if question.targets else None,
    }


def _found(question: Question, outcome: Outcome) -> dict[str, Any]:
    incumbent = outcome.incumbent
    found: dict[str, Any] = {
        "verdict": outcome.verdict.value,
        "proof": outcome.proof.value,
        "status": outcome.status.value,
        "decided_by": outcome.decided_by,
        "replay": outcome.replay.value,
        "objective_claimed": _number(outcome.claimed),
        "bound": _number(outcome.bound),
        "distance": _number(outcome.distance),
        "distance_bound": _number(outcome.distance_bound),
        "message": outcome.message,
        "flipped": False,
    }
    if incumbent is not None:
        replayed = incumbent.replayed
        maximum = float(question.maximum)
        found |= {
            "flipped": replayed.flipped,
            "objective": float(replayed.objective),
            "normalized": float(replayed.objective) / maximum if maximum else None,
            "adversarial_class": replayed.adversarial_class,
            "linf": replayed.linf,
            "l1": replayed.l1,
            "l2": replayed.l2,
            "l0": replayed.l0,
        }
    return found


def _spent(unit: Unit, outcome: Outcome, context: RunContext, span: Span) -> dict[str, Any]:
    effort = outcome.effort
    return {
        "backend": effort.backend,
        "n_unstable": effort.unstable,
        "seconds": outcome.seconds,
        "warm_start_seconds": effort.warm_start_seconds,
        "stage_seconds": _stage_seconds(outcome),
        "build_seconds": effort.build_seconds,
        "solve_seconds": effort.solve_seconds,
        "cpu_seconds": span.cpu_seconds + effort.child_cpu_seconds,
        "time_limit": unit.attack.time_limit,
        "memory_limit_bytes": None if math.isinf(context.memory) else int(context.memory),
        "threads": context.threads,
        "batch_size": effort.batch_size,
        "peak_rss_bytes": effort.peak_rss_bytes or None,
        "iterations": effort.iterations,
        "nodes": effort.nodes,
        "variables": effort.variables or None,
        "constraints": effort.constraints or None,
        "attempt": span.attempt,
        "session": context.session,
        "host": platform.node(),
        "started_at": span.started,
        "finished_at": span.finished,
    }


def _stage_seconds(outcome: Outcome) -> str:
    seconds = {name: round(spent, 6) for name, spent in outcome.stage_seconds.items()}
    return json.dumps(seconds) if seconds else ""


def _target(question: Question, outcome: Outcome) -> int | None:
    if not question.targets:
        return None
    if outcome.incumbent is None:
        return question.targets[0]
    return question.best_target(outcome.incumbent.replayed.scores)


def _trace(outcome: Outcome) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "seconds": point.seconds,
            "objective": float(point.objective),
            "bound": _number(point.bound),
            "iteration": point.iteration,
            "distance": _number(point.distance),
        }
        for point in outcome.trace
    )


def _subproblems(outcome: Outcome) -> Iterator[dict[str, Any]]:
    for iteration in outcome.iterations:
        for subproblem in iteration.subproblems:
            yield {
                "iteration": iteration.number,
                "target": iteration.target,
                "step": iteration.step,
                "ideal": len(iteration.ideal),
                "drawn": len(iteration.drawn),
                "layer": subproblem.layer,
                "targets": subproblem.targets,
                "held": subproblem.held,
                "reached": subproblem.reached,
                "turned": subproblem.turned,
                "status": subproblem.status.value,
                "seconds": subproblem.seconds,
                "objective": float(iteration.objective),
                "improved": iteration.improved,
            }


def _witness(unit: Unit, outcome: Outcome) -> dict[str, Any] | None:
    if outcome.incumbent is None or outcome.status is Status.SKIPPED:
        return None
    threat, witness = unit.threat, outcome.incumbent.witness
    on_grid = threat.domain is Domain.GRID
    return {
        "domain": threat.domain.value,
        "levels": threat.levels if on_grid else None,
        "grid": witness.astype(np.int32) if on_grid else None,
        "box": None if on_grid else witness.astype(np.float64),
    }


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
