"""How many iterations IProp makes a minute, and how far they lead, on both back ends.

    python benchmarks/train_mnist.py 2x500 5x100 --output FOLDER
    python benchmarks/iprop.py FOLDER/mnist_2x500.bnn FOLDER/mnist_5x100.bnn

MNIST test images, 5/255 on the box, the runner-up; one search at a time, on one core. "plain" is
the paper's: subproblems start from the incumbent and have 10 s; "starts" begins them with what a
local search finds; "default" also ends one that has found nothing better for half a second. All
rows of a call are taken one after the other on the same machine: compare them with each other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from bnnray.attacks import Iprop, IpropSettings, Task
from bnnray.attacks.iprop import propagation
from bnnray.datasets import Dataset, load_dataset
from bnnray.models import load_model
from bnnray.network import Network
from bnnray.solvers import InProcess
from bnnray.threat import Question, Threat, parse_epsilon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", help="model files")
    parser.add_argument("--seconds", type=float, default=30.0, help="cutoff of a search")
    parser.add_argument("--points", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    data = load_dataset("mnist", "test")
    print("model        backend  variant  iterations/min  objective: clean -> found", flush=True)
    for path in asked.models:
        network = load_model(path).network
        for backend in ("highs", "gurobi"):
            for variant, patience in (("plain", "off"), ("starts", "off"), ("default", 0.5)):
                settings = IpropSettings(
                    backend=backend, subproblem_patience=patience, time_limit=asked.seconds
                )
                with plain_starts() if variant == "plain" else nullcontext():
                    rate, found = measure(settings, network, data, asked.points)
                print(
                    f"{path.stem:<12} {backend:<8} {variant:<8} {rate:>14.1f}  {found}", flush=True
                )


@contextmanager
def plain_starts() -> Iterator[None]:
    """Lets subproblems start from the incumbent."""
    with (
        patch.object(
            propagation, "start_hidden", lambda problem, _: problem.assignment(problem.free < 0)
        ),
        patch.object(propagation, "start_input", lambda problem, here: problem.assignment(here)),
    ):
        yield


def measure(
    settings: IpropSettings, network: Network, data: Dataset, points: list[int]
) -> tuple[float, str]:
    """Iterations a minute, and the clean and final objectives."""
    threat = Threat(parse_epsilon("5/255"))
    iterations, found = 0, []
    began = time.monotonic()
    for point in points:
        label = int(data.labels[point])
        question = Question(network, data.pixels(point), data.levels, label, threat)
        outcome = Iprop(settings).run([Task(question, point)], InProcess())[0]
        assert outcome.incumbent is not None, outcome.message
        iterations += outcome.effort.iterations
        found.append(f"{question.clean_objective} -> {outcome.incumbent.objective}")
    return 60 * iterations / (time.monotonic() - began), ", ".join(found)


if __name__ == "__main__":
    main()
