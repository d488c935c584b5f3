"""Questions that benchmarks ask: about MNIST test images that a network gets right."""

from __future__ import annotations

from collections.abc import Iterator

from bnnray.datasets import Dataset
from bnnray.network import Network
from bnnray.threat import Domain, Goal, Question, Threat, parse_epsilon


def right(
    network: Network,
    data: Dataset,
    epsilon: str,
    domain: Domain = Domain.GRID,
    goal: str = "runner-up",
) -> Iterator[Question]:
    """Questions about the images that the network gets right, without a tie."""
    threat = Threat(parse_epsilon(epsilon), domain, goal=Goal(goal))
    for number in range(len(data.labels)):
        label = int(data.labels[number])
        question = Question(network, data.pixels(number), data.levels, label, threat)
        if question.predicted == label and question.clean_objective < 0:
            yield question
