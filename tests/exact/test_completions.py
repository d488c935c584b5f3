"""The completions of a pattern, against the exact network's layers."""

from fractions import Fraction

import numpy as np
import pytest
from tiny import Size, random_network

from bnnray.encodings import interval_ranges
from bnnray.exact.kernels import make_scratch, make_state, propagate
from bnnray.exact.kernels.completions import none_exceeds, value_of
from bnnray.exact.problem import pack
from bnnray.exact.reduction import Reduction, Target
from bnnray.threat import Domain, Question, Threat


def reduced(seed: int, hidden: tuple[int, ...]) -> tuple[Reduction, Target]:
    rng = np.random.default_rng(seed)
    size = Size(pixels=12, hidden=hidden, classes=3, levels=4)
    network = random_network(rng, size, nasty=bool(seed % 2))
    threat = Threat(Fraction(1), Domain.GRID, levels=4)
    question = Question(network, rng.integers(0, 5, size=12), 4, 0, threat)
    reduction = Reduction(question, interval_ranges(question))
    return reduction, reduction.target(question.objectives[0])


@pytest.mark.parametrize("hidden", [(9, 8), (70, 9), (10, 130, 66), (66, 65, 64, 63)])
def test_a_whole_pattern_has_one_value(hidden):
    for seed in range(20):
        reduction, target = reduced(seed, hidden)
        first, rng = reduction.first, np.random.default_rng(seed)
        scratch = make_scratch(first.rows, target.later)
        for _ in range(10):
            fires = rng.random(len(first.units)) < 0.5
            value, open_ = propagate(target.later, pack(fires), pack(~fires), scratch)
            assert open_ == 0
            assert value_of(target.later, pack(fires), scratch) == value


def test_all_completions_are_tried():
    closed = 0
    for seed in range(60):
        reduction, target = reduced(seed, (70, 12, 9))
        first, rng = reduction.first, np.random.default_rng(seed)
        scratch = make_scratch(first.rows, target.later)
        fires = rng.random(len(first.units)) < 0.5
        rows = rng.permutation(len(fires))[:5].astype(np.int64)
        values = []
        for number in range(2 ** len(rows)):
            fires[rows] = [number >> k & 1 for k in range(len(rows))]
            values.append(value_of(target.later, pack(fires), scratch))
        fires[rows] = False
        for line in (max(values) - 1, max(values)):
            state = make_state(line)
            none = none_exceeds(target.later, pack(fires), len(rows), rows, scratch, state)
            assert none == (line == max(values))
            closed += none
    assert closed == 60
