"""The reduced question says of every input what the network says."""

import numpy as np
import pytest
from oracle import grid_inputs
from tiny import random_question

from bnnray.encodings import interval_ranges
from bnnray.exact.kernels import make_scratch, propagate
from bnnray.exact.problem import pack
from bnnray.exact.reduction import Reduction
from bnnray.threat import Domain, replay


def reduced(seed: int, domain: Domain, goal: str | None = None):
    question = random_question(np.random.default_rng(seed), domain, goal)
    return question, Reduction(question, interval_ranges(question))


def value_of(first, target, y) -> int:
    fires = first.rows.weights.astype(np.int64) @ y >= first.rows.fires
    scratch = make_scratch(first.rows, target.later)
    upper, open_ = propagate(target.later, pack(fires), pack(~fires), scratch)
    assert open_ == 0
    return upper


@pytest.mark.parametrize("chunk", range(4))
def test_the_value_of_a_grid_point_is_its_objective(chunk):
    seen = 0
    for seed in range(chunk * 150, chunk * 150 + 150):
        question, reduction = reduced(seed, Domain.GRID)
        for objective in question.objectives:
            first, target = reduction.first, reduction.target(objective)
            for levels in grid_inputs(question)[:40]:
                y = (levels - first.lattice.lower)[first.pixels]
                assert np.all((y >= 0) & (y <= first.rows.cap))
                scores = question.network.scores(levels[None, :], question.threat.levels)[0]
                value = target.values.objective(value_of(first, target, y))
                assert value == objective.of_scores(scores), (seed, objective)
                seen += len(first.units) > 0
    assert seen > 500


@pytest.mark.parametrize("chunk", range(2))
def test_a_point_of_the_boxes_lattice_is_a_witness_of_its_value(chunk):
    rng = np.random.default_rng(chunk)
    agree = total = 0
    for seed in range(chunk * 150, chunk * 150 + 150):
        question, reduction = reduced(seed, Domain.BOX, "runner-up")
        if not question.targets:
            continue
        first, target = reduction.first, reduction.target(question.objectives[0])
        for _ in range(5):
            y = rng.integers(0, first.rows.cap + 1)
            replayed = replay(question, first.witness(y))  # raises where it left the region
            total += 1
            value = target.values.objective(value_of(first, target, y))
            agree += value == question.objectives[0].of_scores(replayed.scores)
    assert total > 300
    assert agree > 0.99 * total  # a double may fall on the other side of a threshold


@pytest.mark.parametrize("domain", list(Domain))
def test_a_witness_comes_back_from_the_unit_of_the_floats(domain):
    for seed in range(200):
        question, reduction = reduced(seed, domain)
        first = reduction.first if question.targets else None
        if first is None or not len(first.units):
            continue
        point = first.point(question.region.clean_witness)
        y = np.rint(point.astype(np.float64) * first.rows.unit).astype(np.int64)
        assert np.all((y >= 0) & (y <= first.rows.cap))
        error = np.abs(first.witness(y) - question.region.clean_witness)
        assert error.max() <= (0 if domain is Domain.GRID else 1e-6)


def test_rows_without_influence_are_left_out():
    for seed in range(300):
        question, reduction = reduced(seed, Domain.GRID, "runner-up")
        if not question.targets:
            continue
        objective = question.objectives[0]
        later = reduction.target(objective).later
        if question.network.depth == 1:
            coefficients = np.array(objective.coefficients)[reduction.first.units]
            assert np.all(coefficients != 0)
        else:
            masks = later.positive | later.negative
            seen = np.bitwise_or.reduce(masks[: int(later.units[0])], initial=0)
            assert int(seen).bit_count() == len(reduction.first.units)
