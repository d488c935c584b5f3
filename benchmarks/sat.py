"""What SAT solvers decide on MNIST, how large their formulas are, and the time that they take.

    BNNRAY_DATA=FOLDER python benchmarks/sat.py [FILE.bnn ...] [--epsilon 1/255 2/255]
        [--solver minicard gluecard4 ... exact] [--points 20] [--seconds 60]
        [--domain grid] [--goal runner-up]

The first test images that the network gets right, one search at a time: a flip, or that there is
none. Solvers take turns at each point, and ``exact``, bnnray's own engine, with them. They run in a
child process, so that the limit holds. Points that interval arithmetic decides are counted and left
out of the rest. Seconds are wall time; those of a search that hit its limit count. The largest
formula's variables and constraints are shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from mnist_points import right

from bnnray.attacks import (
    Attack,
    Exact,
    ExactSettings,
    Outcome,
    SatAttack,
    SatSettings,
    Task,
)
from bnnray.datasets import load_dataset
from bnnray.encodings import interval_bound, interval_ranges
from bnnray.models import load_model
from bnnray.processes import Nursery
from bnnray.solvers import CHILD_MODULES, SAT_SOLVERS, Child
from bnnray.threat import Domain, Question
from bnnray.verdicts import Verdict

EXACT = "exact"
NETWORKS = Path(__file__).resolve().parent.parent / "tests" / "networks"
DEFAULT = [NETWORKS / "mnist_2x100.bnn", NETWORKS / "mnist_5x100.bnn"]

HEAD = """
| network | epsilon | solver | by intervals | flips | robust | open | encode s, median (largest) | \
solve s, median (largest) | variables | constraints |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
""".strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="*", default=DEFAULT, help="model files")
    parser.add_argument("--epsilon", nargs="+", default=["1/255", "2/255"])
    known = [*sorted(SAT_SOLVERS), EXACT]
    parser.add_argument("--solver", nargs="+", default=known, choices=known)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--domain", type=Domain, default=Domain.GRID, help="grid or box")
    parser.add_argument("--goal", default="runner-up", help="runner-up or any")
    asked = parser.parse_args()
    data = load_dataset("mnist", "test")
    nursery = Nursery([*CHILD_MODULES, "pysat.solvers"])
    child = Child(nursery.ready())
    print(HEAD, flush=True)
    for path in asked.models:
        network = load_model(path).network
        for epsilon in asked.epsilon:
            fitting = right(network, data, epsilon, asked.domain, asked.goal)
            questions = list(islice(fitting, asked.points))
            for line in compare(questions, asked.solver, asked.seconds, child):
                print(f"| {path.stem.removeprefix('mnist_')} | {epsilon} | {line} |", flush=True)
    child.close()
    nursery.close()


def compare(
    questions: Sequence[Question], solvers: Sequence[str], seconds: float, child: Child
) -> Iterator[str]:
    """One line for each solver, after all have had their turns."""
    attacks = {name: attack(name, seconds) for name in solvers}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in solvers}
    left = [question for question in questions if not is_settled(question.searched)]
    for question in left:
        for name, solver in attacks.items():
            outcomes[name] += solver.run([Task(question, 0)], child)
    for name, found in outcomes.items():
        yield f"{name} | {len(questions) - len(left)} | {summary(found)}"


def is_settled(question: Question) -> bool:
    """Whether interval arithmetic proves that there is no flip."""
    last = interval_ranges(question)[-1]
    return all(interval_bound(objective, last) <= 0 for objective in question.objectives)


def attack(name: str, seconds: float) -> Attack[Any]:
    """The attack that a solver's name stands for."""
    if name == EXACT:
        return Exact(ExactSettings(stop="flip", time_limit=seconds))
    return SatAttack(SatSettings(solver=name, time_limit=seconds))


def summary(asked: Sequence[Outcome]) -> str:
    """The rest of a solver's line."""
    counts = [sum(o.verdict is v for o in asked) for v in (Verdict.VULNERABLE, Verdict.ROBUST)]
    build = [o.effort.build_seconds for o in asked] or [0.0]
    solve = [o.effort.solve_seconds for o in asked] or [0.0]
    variables = max((o.effort.variables for o in asked), default=0)
    constraints = max((o.effort.constraints for o in asked), default=0)
    return (
        f"{counts[0]} | {counts[1]} | {len(asked) - sum(counts)} | "
        f"{median(build):.3f} ({max(build):.2f}) | {median(solve):.3f} ({max(solve):.2f}) | "
        f"{variables} | {constraints}"
    )


if __name__ == "__main__":
    main()
