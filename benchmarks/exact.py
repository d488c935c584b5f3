"""What complete attacks decide on MNIST, and the CPU time that they take for it.

    BNNRAY_DATA=FOLDER python benchmarks/exact.py [FILE.bnn ...] [--epsilon 1/255 2/255]
        [--stop optimum flip] [--attacks exact cascade] [--points 20] [--seconds 60]
        [--rivals 5] [--rival-seconds 20] [--domain grid]

The first test images that the network gets right, the runner-up; one search at a time, on one core.
``exact`` and ``cascade`` get every point; SAT (on the grid) and the MILP, by both back ends, the
first few, on the box the MILP also in the formulation of Khalil et al. (2018). Attacks take turns
at each point, so whatever else the machine does falls on all of them. Seconds are CPU seconds of
the process, with the building of a program, without loading and compiling. "Decided" is a flip or a
proof; with stop = "optimum", a proven optimum. A search that hits its limit counts with the time
that it took.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean, median
from typing import Any

from mnist_points import right

from bnnray.attacks import (
    Attack,
    Cascade,
    CascadeSettings,
    Exact,
    ExactSettings,
    Milp,
    MilpSettings,
    Outcome,
    SatAttack,
    SatSettings,
    Task,
)
from bnnray.datasets import load_dataset
from bnnray.models import load_model
from bnnray.solvers import InProcess
from bnnray.threat import Domain, Question
from bnnray.verdicts import Status, Verdict

NETWORKS = Path(__file__).resolve().parent.parent / "tests" / "networks"
DEFAULT = [NETWORKS / "mnist_2x100.bnn", NETWORKS / "mnist_5x100.bnn"]

COMPLETE: dict[str, tuple[type[Attack[Any]], type[Any]]] = {
    "exact": (Exact, ExactSettings),
    "cascade": (Cascade, CascadeSettings),
}

HEAD = """
| network | epsilon | stop | attack | points | decided | median s | mean s | largest s |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
""".strip()


@dataclass(frozen=True)
class Contestant:
    """An attack and how many of the points it gets."""

    name: str
    attack: Attack[Any]
    points: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="*", default=DEFAULT, help="model files")
    parser.add_argument("--epsilon", nargs="+", default=["1/255", "2/255"])
    parser.add_argument("--stop", nargs="+", default=["optimum", "flip"])
    parser.add_argument("--attacks", nargs="+", default=list(COMPLETE), choices=list(COMPLETE))
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rivals", type=int, default=5, help="points of SAT and the MILP")
    parser.add_argument("--rival-seconds", type=float, default=20.0)
    parser.add_argument("--domain", type=Domain, default=Domain.GRID, help="grid or box")
    asked = parser.parse_args()
    data = load_dataset("mnist", "test")
    print(HEAD, flush=True)
    for path in asked.models:
        network = load_model(path).network
        for epsilon in asked.epsilon:
            questions = list(islice(right(network, data, epsilon, asked.domain), asked.points))
            for stop in asked.stop:
                for line in compare(questions, list(contestants(stop, asked)), stop):
                    name = path.stem.removeprefix("mnist_")
                    print(f"| {name} | {epsilon} | {stop} | {line} |", flush=True)


def contestants(stop: Any, asked: argparse.Namespace) -> Iterator[Contestant]:
    limit, short = asked.seconds, asked.rival_seconds
    for name in asked.attacks:
        attack, settings_type = COMPLETE[name]
        yield Contestant(name, attack(settings_type(stop=stop, time_limit=limit)), asked.points)
    if asked.rivals and asked.domain is Domain.GRID:
        yield Contestant("sat", SatAttack(SatSettings(stop=stop, time_limit=short)), asked.rivals)
    for name, wanted in rivals(asked.domain).items() if asked.rivals else ():
        rival = Milp(MilpSettings(stop=stop, time_limit=short, **wanted))
        yield Contestant(name, rival, asked.rivals)


def rivals(domain: Domain) -> dict[str, dict[str, Any]]:
    """Settings of the MILP by the name that the table shows."""
    tight = {f"milp, {name}": {"backend": name} for name in ("gurobi", "highs")}
    if domain is Domain.GRID:
        return tight
    return tight | {"milp, gurobi, paper": {"backend": "gurobi", "formulation": "paper"}}


def compare(
    questions: Sequence[Question], contestants: Sequence[Contestant], stop: str
) -> Iterator[str]:
    """One line for each contestant, after all have had their turns."""
    seconds: dict[str, list[float]] = {c.name: [] for c in contestants}
    decided: dict[str, int] = {c.name: 0 for c in contestants}
    for contestant in contestants:
        contestant.attack.run([Task(questions[0], 0)], InProcess())  # loads and compiles
    for number, question in enumerate(questions):
        for contestant in contestants:
            if number < contestant.points:
                began = time.process_time()
                (outcome,) = contestant.attack.run([Task(question, 0)], InProcess())
                seconds[contestant.name].append(time.process_time() - began)
                decided[contestant.name] += is_decided(outcome, stop)
    for name, took in seconds.items():
        share = f"{100 * decided[name] / len(took):.0f} %"
        times = f"{median(took):.3f} | {mean(took):.3f} | {max(took):.2f}"
        yield f"{name} | {len(took)} | {share} | {times}"


def is_decided(outcome: Outcome, stop: str) -> bool:
    if stop == "optimum":
        return outcome.status is Status.OPTIMAL
    return outcome.verdict is not Verdict.UNKNOWN


if __name__ == "__main__":
    main()
