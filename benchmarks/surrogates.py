"""How many flips gradient ascent finds on each surrogate, in the same time.

    BNNRAY_DATA=FOLDER python benchmarks/surrogates.py [FILE.bnn ...] [--seconds 1]

MNIST test images that the network gets right, on the grid, the runner-up; one search at a time, on
one core, each from new random starts until its time limit. Surrogates take turns at each point, so
that whatever else the machine does falls on all of them: compare the rows of a call with each
other. Without files the two networks of the tests are attacked.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import get_args

from bnnray.attacks import Outcome, Pgd, PgdSettings, Task
from bnnray.attacks.pgd import SurrogateName
from bnnray.datasets import Dataset, load_dataset
from bnnray.models import load_model
from bnnray.network import Network
from bnnray.solvers import InProcess
from bnnray.threat import Domain, Question, Threat, parse_epsilon
from bnnray.verdicts import Verdict

NETWORKS = Path(__file__).resolve().parent.parent / "tests" / "networks"
DEFAULT = [NETWORKS / "mnist_2x100.bnn", NETWORKS / "mnist_5x100.bnn"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="*", default=DEFAULT, help="model files")
    parser.add_argument("--seconds", type=float, default=1.0, help="time limit of a search")
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--epsilon", nargs="+", default=["5/255", "12/255"])
    asked = parser.parse_args()
    data = load_dataset("mnist", "test")
    print("model        epsilon  surrogate          flips  mean objective  steps/s", flush=True)
    for path in asked.models:
        network = load_model(path).network
        for epsilon in asked.epsilon:
            questions = list(islice(right(network, data, epsilon), asked.points))
            for surrogate, found in taking_turns(questions, asked.seconds).items():
                print(f"{path.stem:<12} {epsilon:<8} {surrogate:<17} {figures(found)}", flush=True)


def right(network: Network, data: Dataset, epsilon: str) -> Iterator[Question]:
    """Questions about the images that the network gets right, without a tie."""
    threat = Threat(parse_epsilon(epsilon), Domain.GRID)
    for number in range(len(data.labels)):
        label = int(data.labels[number])
        question = Question(network, data.pixels(number), data.levels, label, threat)
        if question.predicted == label and question.clean_objective < 0:
            yield question


def taking_turns(questions: Sequence[Question], seconds: float) -> dict[str, list[Outcome]]:
    """The outcomes of each surrogate."""
    found: dict[str, list[Outcome]] = {name: [] for name in get_args(SurrogateName)}
    for seed, question in enumerate(questions):
        for name, outcomes in found.items():
            attack = Pgd(PgdSettings(surrogate=name, repeat=True, time_limit=seconds))
            outcomes += attack.run([Task(question, seed)], InProcess())
    return found


def figures(found: Sequence[Outcome]) -> str:
    """Flips, the mean of the best objectives, and steps a second."""
    best = [float(o.incumbent.objective) for o in found if o.incumbent is not None]
    assert len(best) == len(found), [o.message for o in found]
    flips = sum(o.verdict is Verdict.VULNERABLE for o in found)
    steps = sum(o.effort.iterations for o in found) / sum(o.seconds for o in found)
    return f"{flips:>6}  {sum(best) / len(best):>14.1f}  {steps:>7.0f}"


if __name__ == "__main__":
    main()
