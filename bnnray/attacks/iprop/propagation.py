"""Algorithm 1 of Khalil, Gupta and Dilkina (2018): iterations from an incumbent.

The last hidden layer's unit j is ideal where its sign is that of its coefficient in the
objective. An iteration draws some units that are not, asks for them and for those that are
ideal already, and passes what it takes down: problem (9) for each hidden layer, problem (10) for
the input. A forward pass judges.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnnray.attacks.iprop.starts import start_hidden, start_input
from bnnray.attacks.iprop.step_size import StepSize
from bnnray.attacks.iteration import Iteration, Subproblem
from bnnray.attacks.search import Search
from bnnray.attacks.solving import solve
from bnnray.encodings import HiddenProblem, InputProblem, LayerRange, encode_hidden, encode_input
from bnnray.network import IntArray
from bnnray.solvers import Limits, Problem
from bnnray.threat import FloatArray, Witness, activations, replay
from bnnray.verdicts import Status


@dataclass(frozen=True)
class Subsolver:
    """Solves subproblems of one search.

    Args:
        search: whose time and effort.
        backend: a name or "auto".
        time_limit: of a subproblem, in seconds.
        patience: seconds without anything better after which one ends.
    """

    search: Search
    backend: str
    time_limit: float
    patience: float

    def solve(self, problem: Problem, seed: int, began: float) -> tuple[FloatArray, Status]:
        """The best assignment found, the start at least, and why the solve ended.

        Args:
            problem: with a start.
            seed: of the solver.
            began: when the work on the subproblem did, by the monotonic clock.
        """
        objective, start = problem.model.objective, problem.start
        assert start is not None, "a subproblem that is cut off needs an answer"
        if objective @ start >= np.maximum(objective, 0).sum():
            return start, Status.OPTIMAL  # whatever the rows say
        seconds = min(self.time_limit - (time.monotonic() - began), self.search.remaining)
        if seconds <= 0:
            return start, Status.TIME_LIMIT
        limits = Limits(seconds, self.search.threads, seed, self.patience)
        solution = solve(self.search, self.backend, problem, limits, lambda _: False)
        if solution.status is Status.KILLED:
            self.search.message = "a subproblem was killed, as its solver ignored its time limit"
        if solution.values is None or objective @ solution.values < objective @ start:
            return start, solution.status
        return solution.values, solution.status


class Propagation:
    """The state of Algorithm 1: the incumbent, the step size, and what was tried in vain.

    Args:
        search: the incumbent is its.
        ranges: of the hidden layers.
        subsolver: for problems (9) and (10).
        step: "adaptive" or a number.
    """

    def __init__(
        self,
        search: Search,
        ranges: Sequence[LayerRange],
        subsolver: Subsolver,
        step: str | int,
    ) -> None:
        self._search = search
        self._ranges = ranges
        self._subsolver = subsolver
        self._step = StepSize(step, search.question.network.widths[-1])
        self._rng = np.random.default_rng(search.seed)
        self._take_incumbent()

    def iterate(self) -> Iteration | None:
        """One iteration; None at a local optimum, or when time ran out on the way."""
        drawn = self._draw()
        if not len(drawn):
            return None
        wanted = np.where(self._is_ideal, self._ideal, 0)
        wanted[drawn] = self._ideal[drawn]
        done: list[Subproblem] = []
        for layer in range(len(self._signs) - 1, 0, -1):
            if self._search.remaining == 0:
                return None
            wanted, subproblem = self._solve_hidden(layer, wanted)
            done.append(subproblem)
        if self._search.remaining == 0:
            return None
        witness, subproblem = self._solve_input(wanted)
        return self._judge(witness, drawn, (*done, subproblem))

    def _draw(self) -> IntArray:
        """G: units that are not ideal and that the budget may change; none at a local optimum.

        At S = 1 a unit whose subproblems were solved to optimality in vain is not drawn again:
        there would be nothing new.
        """
        open_ = np.flatnonzero((self._ideal != 0) & ~self._is_ideal & self._ranges[-1].unstable)
        if self._step.value == 1:
            open_ = np.setdiff1d(open_, list(self._tried))
        count = min(self._step.value, len(open_))
        return np.sort(self._rng.choice(open_, count, replace=False)) if count else open_

    def _solve_hidden(self, layer: int, wanted: IntArray) -> tuple[IntArray, Subproblem]:
        """Problem (9) for hidden layer ``layer``, from 1 on: its signs."""
        began = time.monotonic()
        above = self._search.question.network.hidden[layer]
        signs = self._signs[layer - 1]
        problem = encode_hidden(above, wanted, signs, self._ranges[layer - 1].unstable)
        values, status = self._solve(problem, start_hidden(problem, self._rng), began)
        answer = problem.answer(values)
        return answer, Subproblem(
            layer=layer,
            wanted=wanted,
            incumbent=self._signs[layer],
            answer=above.fire(answer[None, :], above.sign_thresholds)[0],
            turned=int((answer != signs).sum()),
            status=status,
            seconds=time.monotonic() - began,
        )

    def _solve_input(self, wanted: IntArray) -> tuple[Witness, Subproblem]:
        """Problem (10): an input."""
        began = time.monotonic()
        question = self._search.question
        problem = encode_input(question, self._ranges[0], wanted)
        start = start_input(problem, self._search.incumbent.witness)
        values, status = self._solve(problem, start, began)
        witness = problem.answer(values)
        return witness, Subproblem(
            layer=0,
            wanted=wanted,
            incumbent=self._signs[0],
            answer=activations(question, witness)[0],
            turned=0,
            status=status,
            seconds=time.monotonic() - began,
        )

    def _solve(
        self, problem: HiddenProblem | InputProblem, start: FloatArray, began: float
    ) -> tuple[FloatArray, Status]:
        self._search.effort.build_seconds += time.monotonic() - began
        seed = int(self._rng.integers(2**31))
        return self._subsolver.solve(Problem(problem.model, start), seed, began)

    def _judge(
        self, witness: Witness, drawn: IntArray, subproblems: tuple[Subproblem, ...]
    ) -> Iteration:
        """The forward pass of the input that was found, and what follows from it."""
        search = self._search
        search.effort.iterations += 1
        found = replay(search.question, witness).objective
        improved = found > search.objective
        iteration = Iteration(
            number=search.effort.iterations,
            target=self._target,
            step=self._step.value,
            ideal=np.flatnonzero(self._is_ideal),
            drawn=drawn,
            subproblems=subproblems,
            objective=found,
            improved=improved,
        )
        if improved:
            search.offer(witness)
            self._take_incumbent()
        elif self._step.value == 1 and all(s.status is Status.OPTIMAL for s in subproblems):
            self._tried.add(int(drawn[0]))
        self._step.after(improved=improved)
        return iteration

    def _take_incumbent(self) -> None:
        """Target, h* and I* of the search's incumbent; nothing was tried from it yet."""
        question = self._search.question
        self._target = self._search.best_target
        objective = next(o for o in question.objectives if o.target == self._target)
        self._signs = activations(question, self._search.incumbent.witness)
        self._ideal = np.array([(c > 0) - (c < 0) for c in objective.coefficients], dtype=np.int64)
        self._is_ideal = (self._ideal != 0) & (self._ideal == self._signs[-1])
        self._tried: set[int] = set()
