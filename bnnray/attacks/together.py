"""One perturbation that is to flip several networks at once, by SAT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from bnnray.attacks.programs import least_flip
from bnnray.attacks.sat import SatSettings, form_for
from bnnray.encodings import Asked, encode_formula, interval_ranges
from bnnray.errors import BugError, UsageError
from bnnray.solvers import InProcess, Limits, SatProblem, Solver
from bnnray.threat import Question, Witness, replay
from bnnray.verdicts import Status, Verdict, is_flip


@dataclass(frozen=True, eq=False)
class Together:
    """Whether some input flips every question.

    Args:
        verdict: vulnerable if one does, robust if it is proven that none does.
        status: why the search stopped.
        witness: of a vulnerable verdict, replayed on every network.
    """

    verdict: Verdict
    status: Status
    witness: Witness | None = None


def flip_all(
    questions: Sequence[Question],
    settings: SatSettings | None = None,
    solver: Solver | None = None,
) -> Together:
    """Looks for one input that flips all questions, which are about one image and region.

    Each question has its own network, goal and attacked class (Ronval 2023 makes training examples
    like this).

    Args:
        settings: their solver and time limit count.
        solver: runs the SAT solver; in this process unless given.

    Raises:
        UsageError: the questions are about different images or budgets, or neither on the grid nor
            behind one quantizer.
    """
    settings = SatSettings() if settings is None else settings
    quantizer = questions[0].network.quantizer
    for question in questions:
        settings.check(question.threat.domain, question.threat.max_pixels, quantizer)
        if question.network.quantizer != quantizer:
            raise UsageError("expected networks that begin with the same quantizer, or with none")
    clean = questions[0].region.clean_witness
    if _flips_all(questions, clean):
        return Together(Verdict.VULNERABLE, Status.FLIP_FOUND, clean)
    searched = [question.searched for question in questions]
    asked = [Asked(q, interval_ranges(q), _least_flips(q)) for q in searched]
    encoding = encode_formula(asked, form_for(settings.backend))
    solution = (solver or InProcess()).solve(
        settings.backend,
        SatProblem(encoding.formula),
        Limits(settings.time_limit),
        lambda _progress: False,
    )
    if solution.status is Status.INFEASIBLE:
        return Together(Verdict.ROBUST, Status.INFEASIBLE)
    if solution.values is None:
        return Together(Verdict.UNKNOWN, solution.status)
    witness = searched[0].input_of(encoding.witness(solution.values))
    if not _flips_all(questions, witness):
        raise BugError("a SAT solver's input does not flip every network")
    return Together(Verdict.VULNERABLE, Status.FLIP_FOUND, witness)


def _flips_all(questions: Sequence[Question], witness: Witness) -> bool:
    return all(replay(question, witness).flipped for question in questions)


def _least_flips(question: Question) -> dict[int, Fraction]:
    """The least objective of each target that flips; without those that never do."""
    tie = question.threat.tie
    least = {o.target: least_flip(o, tie) for o in question.objectives}
    return {target: value for target, value in least.items() if is_flip(value, tie)}
