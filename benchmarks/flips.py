"""How many flips attacks find in the same time: gradients on each surrogate, and the exact engine.

    BNNRAY_DATA=FOLDER python benchmarks/flips.py [FILE.bnn ...] [--seconds 1]
        [--attacks reachable-tanh lns exact]

MNIST test images that the network gets right, on the grid, the runner-up; one search at a time, on
one core, until its time limit. Gradient ascent begins again and again from new random starts; the
exact engine is asked for the optimum, as a tree (exact) and from neighbourhood to neighbourhood
(lns). Attacks take turns at each point, so that whatever else the machine does falls on all of
them: compare the rows of a call with each other. Without files the two networks of the tests are
attacked.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from mnist_points import right

from bnnray.attacks import (
    Attack,
    Exact,
    ExactSettings,
    Lns,
    LnsSettings,
    Outcome,
    Pgd,
    PgdSettings,
    Task,
)
from bnnray.attacks.pgd import SurrogateName
from bnnray.datasets import load_dataset
from bnnray.models import load_model
from bnnray.solvers import InProcess
from bnnray.threat import Question
from bnnray.verdicts import Verdict

NETWORKS = Path(__file__).resolve().parent.parent / "tests" / "networks"
ATTACKS = (*get_args(SurrogateName), "lns", "exact")
DEFAULT = [NETWORKS / "mnist_2x100.bnn", NETWORKS / "mnist_5x100.bnn"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="*", default=DEFAULT, help="model files")
    parser.add_argument("--seconds", type=float, default=1.0, help="time limit of a search")
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--epsilon", nargs="+", default=["5/255", "12/255"])
    parser.add_argument("--attacks", nargs="+", default=list(ATTACKS), choices=list(ATTACKS))
    asked = parser.parse_args()
    data = load_dataset("mnist", "test")
    print("model        epsilon  attack             flips  mean objective", flush=True)
    for path in asked.models:
        network = load_model(path).network
        for epsilon in asked.epsilon:
            questions = list(islice(right(network, data, epsilon), asked.points))
            chosen = {name: attack(name, asked.seconds) for name in asked.attacks}
            for name, found in taking_turns(questions, chosen).items():
                print(f"{path.stem:<12} {epsilon:<8} {name:<17} {figures(found)}", flush=True)


def attack(name: str, seconds: float) -> Attack[Any]:
    """The attack of a name, with a time limit."""
    if name == "lns":
        return Lns(LnsSettings(time_limit=seconds))
    if name == "exact":
        return Exact(ExactSettings(time_limit=seconds))
    return Pgd(PgdSettings(surrogate=name, repeat=True, time_limit=seconds))


def taking_turns(
    questions: Sequence[Question], attacks: Mapping[str, Attack[Any]]
) -> dict[str, list[Outcome]]:
    """The outcomes of each attack."""
    for attack in attacks.values():
        attack.run([Task(questions[0], 0)], InProcess())  # loads and compiles
    found: dict[str, list[Outcome]] = {name: [] for name in attacks}
    for seed, question in enumerate(questions):
        for name, outcomes in found.items():
            outcomes += attacks[name].run([Task(question, seed)], InProcess())
    return found


def figures(found: Sequence[Outcome]) -> str:
    """Flips, and the mean of the best objectives."""
    best = [float(o.incumbent.objective) for o in found if o.incumbent is not None]
    assert len(best) == len(found), [o.message for o in found]
    flips = sum(o.verdict is Verdict.VULNERABLE for o in found)
    return f"{flips:>6}  {sum(best) / len(best):>14.1f}"


if __name__ == "__main__":
    main()
