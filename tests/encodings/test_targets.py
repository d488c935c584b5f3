"""Problems (9) and (10) against complete enumeration, with and without the tie-break."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import boxes, grid_inputs, reachable
from tiny import random_question

from bnnray.encodings import encode_hidden, encode_input, interval_ranges
from bnnray.network import SignLayer
from bnnray.solvers import BACKENDS, InProcess, Limits, Problem, make_backend
from bnnray.threat import Domain, Question, activations, replay
from bnnray.verdicts import Status

LOCAL = st.booleans()
NAMES = st.sampled_from(sorted(BACKENDS))
SEEDS = st.integers(0, 2**32 - 1)


def solved(problem, start: np.ndarray, name: str) -> np.ndarray:
    assert feasible(problem, start)
    if not len(start):
        return start
    solution = InProcess().solve(
        make_backend(name), Problem(problem.model, start), Limits(60), lambda _: False
    )
    assert solution.status is Status.OPTIMAL
    assert solution.objective >= problem.model.objective @ start - 1e-6
    return solution.values


def feasible(problem, values: np.ndarray) -> bool:
    model = problem.model
    return bool(
        (model.matrix @ values <= model.rhs + 1e-9).all()
        and (values >= model.lower).all()
        and (values <= model.upper).all()
    )


def reached(wanted: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """How many wanted signs are there, for signs (..., units)."""
    return ((wanted != 0) & (wanted == signs)).sum(axis=-1)


def random_wanted(rng: np.random.Generator, units: int) -> np.ndarray:
    return rng.integers(-1, 2, size=units)


def random_hidden(rng: np.random.Generator) -> tuple[SignLayer, np.ndarray, np.ndarray, np.ndarray]:
    """A layer above another, with its wanted signs, the signs below, and which are free."""
    while len((network := random_question(rng, Domain.GRID).network).hidden) < 2:
        pass
    layer = network.hidden[1]
    signs = rng.choice([-1, 1], size=layer.inputs)
    return layer, random_wanted(rng, layer.units), signs, rng.random(layer.inputs) < 0.8


@given(SEEDS, NAMES)
def test_hidden_problem_equals_enumeration(seed, name):
    layer, wanted, signs, free = random_hidden(np.random.default_rng(seed))
    problem = encode_hidden(layer, wanted, signs, free)
    choices = [(s, -s) if f else (s,) for s, f in zip(signs.tolist(), free, strict=True)]
    everything = np.array(list(itertools.product(*choices)))
    counts = reached(wanted, layer.fire(everything, layer.sign_thresholds))
    turned = (everything != signs).sum(axis=1)

    found = problem.answer(solved(problem, problem.assignment(np.zeros(free.sum(), bool)), name))
    count = reached(wanted, layer.fire(found[None, :], layer.sign_thresholds)[0])
    assert count == counts.max()
    assert (found != signs).sum() == turned[counts == counts.max()].min()
    assert (found == signs)[~free].all()


@given(SEEDS)
def test_the_tie_break_never_outweighs_a_unit(seed):
    """Ordered by the model's objective, assignments are ordered by units first."""
    layer, wanted, signs, free = random_hidden(np.random.default_rng(seed))
    problem = encode_hidden(layer, wanted, signs, free)
    values = [
        problem.assignment(np.array(turns, dtype=bool))
        for turns in itertools.product([False, True], repeat=int(free.sum()))
    ]
    objectives = [float(problem.model.objective @ v) for v in values]
    units = [v[free.sum() :].sum() for v in values]
    for (a, x), (b, y) in itertools.pairwise(sorted(zip(objectives, units, strict=True))):
        assert x <= y
        assert b > a or x == y
    assert all(feasible(problem, v) for v in values)


@given(SEEDS, NAMES, LOCAL)
def test_input_problem_equals_enumeration_on_the_grid(seed, name, local):
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.GRID, "any", local=local)
    first = question.network.hidden[0]
    wanted = random_wanted(rng, first.units)
    problem = encode_input(question, interval_ranges(question)[0], wanted)
    inputs = grid_inputs(question)
    thresholds = first.pixel_thresholds(question.region.denominator)
    counts = reached(wanted, first.fire(inputs, thresholds))

    incumbent = inputs[rng.integers(len(inputs))]
    found = problem.answer(solved(problem, problem.assignment(incumbent), name))
    replay(question, found)
    assert reached(wanted, activations(question, found)[0]) == counts.max()


def most_on_the_box(question: Question, wanted: np.ndarray) -> int:
    """The largest number of wanted signs that an input of the box gives."""
    first = question.network.hidden[0]
    rows, thresholds = first.rows().astype(int).tolist(), first.thresholds
    return max(
        int(reached(wanted, np.array(signs)))
        for signs in itertools.product([1, -1], repeat=first.units)
        if any(reachable(rows, thresholds, signs, *ends) for ends in boxes(question))
    )


@pytest.mark.parametrize("nasty", [False, True])
@given(seed=SEEDS, name=NAMES, local=LOCAL)
def test_input_problem_against_exact_programs_on_the_box(nasty, seed, name, local):
    """With generic thresholds every pattern has room inside, so it equals; else it is below."""
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.BOX, "any", nasty=nasty, local=local)
    wanted = random_wanted(rng, question.network.hidden[0].units)
    problem = encode_input(question, interval_ranges(question)[0], wanted)
    start = problem.assignment(question.region.clean_witness)
    values = solved(problem, start, name)
    found = problem.answer(values)
    replay(question, found)
    count = reached(wanted, activations(question, found)[0])
    most = most_on_the_box(question, wanted)
    assert count <= most
    if not nasty:
        assert count == most
    settled = interval_ranges(question)[0].settled
    assert count >= values[problem.pixels.columns :].sum() + reached(wanted, settled)
