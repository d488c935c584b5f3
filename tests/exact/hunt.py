"""Compare the engine with complete enumeration until a small question shows a difference.

    [NUMBA_DISABLE_JIT=1] python hunt.py QUESTIONS

Exit code 1, and a line that says where, if one does. Each question is asked with the true optimum
just above the line, from several starts, as a prune that is wrong only shows if the optimum lies
behind it; and no clause that was learned may hold of any input.
"""

from __future__ import annotations

import sys
import warnings
from fractions import Fraction

import numpy as np
from oracle import grid_inputs
from tiny import Size, random_network

from bnnray.attacks.programs import below
from bnnray.encodings import interval_ranges
from bnnray.exact import tree as trees
from bnnray.exact.problem import pack
from bnnray.exact.reduction import Reduction
from bnnray.exact.tree import Knowledge, Tree, no_knowledge
from bnnray.threat import ANY, Domain, Goal, Question, Threat

warnings.filterwarnings("ignore", "overflow")  # without compilation words warn where they wrap

STARTS = 3

COMPLETED = (0, 0, 3, 8)
"""Free rows with which nodes are completed; small questions would all end at the root else."""


def question_of(seed: int) -> Question:
    rng = np.random.default_rng(seed)
    size = Size(
        pixels=int(rng.integers(3, 6)),
        hidden=tuple(int(n) for n in rng.integers(4, 11, size=int(rng.integers(1, 4)))),
        classes=2,
        levels=int(rng.integers(1, 4)),
    )
    return Question(
        network=random_network(rng, size, nasty=bool(rng.integers(2))),
        pixels=rng.integers(0, size.levels + 1, size=size.pixels),
        levels=size.levels,
        label=0,
        threat=Threat(Fraction(1), Domain.GRID, levels=size.levels, goal=Goal(ANY)),
    )


def difference(seed: int) -> str | None:
    """How the engine differs from enumeration, or None."""
    question, rng = question_of(seed), np.random.default_rng(seed)
    objective, inputs = question.objectives[0], grid_inputs(question)
    if objective.step == 0:
        return None
    values = [objective.of_scores(s) for s in question.network.scores(inputs, question.levels)]
    trees.MOST_COMPLETED = COMPLETED[seed % len(COMPLETED)]
    reduction = Reduction(question, interval_ranges(question))
    knowledge = no_knowledge(reduction.first)
    target, true = reduction.target(objective), max(values)
    for _ in range(STARTS):
        start = inputs[rng.integers(len(inputs))]
        tree = Tree(reduction.first, target, knowledge, start, below(objective, true))
        found = search(tree)
        if found is None or tree.bound < true:
            return f"{true} is possible; found {found}, proved {tree.bound}"
        tree = Tree(reduction.first, target, knowledge, start, true)
        if search(tree) is not None or tree.bound != true or tree.undecided is not None:
            return f"{true} is the optimum; proved {tree.bound}"
    return false_clause(reduction, knowledge, inputs)


def search(tree: Tree) -> np.ndarray | None:
    """The first input above the line."""
    while not tree.finished:
        witness = tree.advance(1000)
        if witness is not None:
            return witness
    return None


def false_clause(reduction: Reduction, knowledge: Knowledge, inputs: np.ndarray) -> str | None:
    first = reduction.first
    sums = (inputs - first.lattice.lower)[:, first.pixels] @ first.rows.weights.T.astype(np.int64)
    fires = sums >= first.rows.fires
    firing, still = pack(fires), pack(~fires)
    for c in range(knowledge.count):
        on, off = knowledge.clauses.firing[c], knowledge.clauses.still[c]
        whole = np.all((on & ~firing) == 0, axis=1) & np.all((off & ~still) == 0, axis=1)
        if whole.any():
            return f"clause {c} holds of {inputs[whole][0]}"
    return None


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        report = difference(number)
        if report is not None:
            print(f"question {number}: {report}")
            sys.exit(1)
