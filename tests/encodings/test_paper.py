"""The paper's form with the input fixed is the forward pass, and it is as large as printed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import boxes
from test_tight import feasible
from tiny import Size, random_network, random_question

from bnnray.encodings import encode_paper, interval_ranges
from bnnray.errors import UsageError
from bnnray.models import load_model
from bnnray.threat import Domain, Norm, Question, Threat, Witness, parse_epsilon

LOCAL = st.booleans()
NORMS = st.sampled_from([None, *Norm])
SEEDS = st.integers(0, 2**32 - 1)


def inputs(question: Question, rng: np.random.Generator) -> list[Witness]:
    """Random inputs of the box, its corners among them."""
    region, choices = question.region, boxes(question)
    found = []
    for _ in range(20):
        lower, upper = choices[int(rng.integers(len(choices)))]
        ends = np.array([lower, upper], dtype=float)
        parts = rng.choice([0.0, 0.5, 1.0, rng.random()], size=len(lower))
        real = ends[0] + parts * (ends[1] - ends[0])
        still = np.array([a == b for a, b in zip(lower, upper, strict=True)])
        found.append(region.nearest(np.where(still, region.float_clean, real)))
    return found


@given(SEEDS, LOCAL, NORMS)
def test_every_input_is_feasible_with_its_own_activations_and_objective(seed, local, norm):
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.BOX, "any", local=local)
    ranges = interval_ranges(question)
    for objective in question.objectives:
        encoding = encode_paper(question, objective, ranges, norm=norm)
        for witness in inputs(question, rng):
            values = encoding.assignment(witness)
            assert feasible(encoding, values)
            scores = question.network.scores_at(question.region.read(witness))
            assert encoding.claimed(values) == objective.of_scores(scores)


@given(SEEDS)
@settings(max_examples=40)
def test_only_at_a_threshold_do_other_signs_hold(seed):
    """With generic thresholds nothing lies on one: the input leaves one choice of signs."""
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.BOX, "runner-up", nasty=False)
    encoding = encode_paper(question, question.objectives[0], interval_ranges(question))
    widths = question.network.widths
    if sum(widths) > 8:
        return
    units = encoding.pixels.columns + np.arange(sum(widths))
    for witness in inputs(question, rng)[:4]:
        true = encoding.assignment(witness)
        for signs in np.ndindex(*(2,) * len(units)):
            values = true.copy()
            values[units] = signs
            values[units[-1] + 1 :] = sums_of(encoding, values)
            assert feasible(encoding, values) == (values == true).all()


def sums_of(encoding, values: np.ndarray) -> np.ndarray:
    """The pre-activations that the equations give to pixels and signs."""
    start, sums = encoding.pixels.columns, []
    before = values[: encoding.pixels.pixels]
    for layer in encoding.question.network.hidden:
        sums.append(layer.rows().astype(float) @ before)
        before = 2 * values[start : start + layer.units] - 1
        start += layer.units
    return np.concatenate(sums)


def test_the_grid_is_refused():
    question = random_question(np.random.default_rng(1), Domain.GRID, "any")
    with pytest.raises(UsageError, match=r'"paper" is for domain = "box" only.*"tight"'):
        encode_paper(question, question.objectives[0], interval_ranges(question))


@pytest.mark.parametrize("hidden", [(300, 300), (100,) * 5])
def test_it_has_as_many_variables_and_rows_as_printed(hidden):
    rng = np.random.default_rng(0)
    network = random_network(rng, Size(784, hidden, 10, 255), nasty=True)
    question = Question(
        network, rng.integers(0, 256, size=784), 255, 0, Threat(parse_epsilon("0.01"))
    )
    model = encode_paper(question, question.objectives[0], interval_ranges(question)).model
    assert (model.variables, model.rows) == (784 + 2 * sum(hidden), 3 * sum(hidden))
    assert int(model.equal.sum()) == sum(hidden)


def test_its_coefficients_stay_small(networks: Path):
    network = load_model(networks / "mnist_5x100.bnn").network
    pixels = np.random.default_rng(0).integers(0, 256, size=784)
    question = Question(network, pixels, 255, 0, Threat(parse_epsilon("0.001")))
    model = encode_paper(question, question.objectives[0], interval_ranges(question)).model
    assert np.abs(model.matrix.data).max() < 1e6
