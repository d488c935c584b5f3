"""The tight form with the input fixed must be the forward pass, for every input of a tiny grid."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import grid_inputs
from tiny import random_question

from bnnray.encodings import Wanted, encode_tight, interval_ranges
from bnnray.threat import Domain, Norm, replay

LOCAL = st.booleans()
NORMS = st.sampled_from([None, *Norm])
SEEDS = st.integers(0, 2**32 - 1)


def feasible(encoding, values: np.ndarray) -> bool:
    model = encoding.model
    sums = model.matrix @ values
    return bool(
        (sums <= model.rhs + 1e-9).all()
        and (sums >= model.rhs - 1e-9)[model.equal].all()
        and (values >= model.lower).all()
        and (values <= model.upper).all()
    )


def free_variables(encoding) -> np.ndarray:
    return np.arange(encoding.pixels.columns, encoding.model.variables)


@given(SEEDS, LOCAL, NORMS)
def test_every_input_is_feasible_with_its_own_activations_and_objective(seed, local, norm):
    question = random_question(np.random.default_rng(seed), Domain.GRID, "any", local=local)
    ranges = interval_ranges(question)
    for objective in question.objectives:
        encoding = encode_tight(question, objective, ranges, norm=norm)
        for witness in grid_inputs(question)[:40]:
            values = encoding.assignment(witness)
            assert feasible(encoding, values)
            scores = question.network.scores(witness[None, :], question.region.denominator)[0]
            assert encoding.claimed(values) == objective.of_scores(scores)


@given(SEEDS, LOCAL)
@settings(max_examples=40)
def test_no_activations_claim_more_than_the_forward_pass(seed, local):
    """All signs of the units are tried with the input fixed: none that is feasible gains."""
    question = random_question(np.random.default_rng(seed), Domain.GRID, "runner-up", local=local)
    if not question.targets:
        return
    objective = question.objectives[0]
    encoding = encode_tight(question, objective, interval_ranges(question))
    units = free_variables(encoding)
    if not 0 < len(units) <= 7:
        return
    for witness in grid_inputs(question)[:12]:
        values = encoding.assignment(witness)
        true = encoding.claimed(values)
        for signs in np.ndindex(*(2,) * len(units)):
            values[units] = signs
            assert not feasible(encoding, values) or encoding.claimed(values) <= true


@given(SEEDS, LOCAL)
def test_on_the_box_the_clean_input_is_feasible(seed, local):
    question = random_question(np.random.default_rng(seed), Domain.BOX, "any", local=local)
    ranges = interval_ranges(question)
    clean = question.region.clean_witness
    for objective in question.objectives:
        encoding = encode_tight(question, objective, ranges)
        values = encoding.assignment(clean)
        assert feasible(encoding, values)
        assert encoding.claimed(values) == objective.of_scores(question.clean_scores)


@given(SEEDS, st.sampled_from(list(Domain)))
def test_an_assignment_and_its_witness_are_one(seed, domain):
    rng = np.random.default_rng(seed)
    question = random_question(rng, domain, "any")
    encoding = encode_tight(question, question.objectives[0], interval_ranges(question))
    values = encoding.assignment(question.region.clean_witness)
    pixels = encoding.pixels.pixels
    lower, upper = encoding.model.lower[:pixels], encoding.model.upper[:pixels]
    moved = lower + rng.random(pixels) * (upper - lower)
    values[:pixels] = np.rint(moved) if domain is Domain.GRID else moved
    witness = encoding.witness(values)
    replay(question, witness)
    assert np.allclose(encoding.assignment(witness)[:pixels], values[:pixels], atol=1e-9)


@given(SEEDS, LOCAL)
def test_the_cutoff_leaves_exactly_the_inputs_that_reach_it(seed, local):
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.GRID, "any", local=local)
    objective = question.objectives[0]
    inputs = grid_inputs(question)
    scores = question.network.scores(inputs, question.region.denominator)
    values = [objective.of_scores(row) for row in scores]
    cutoff = values[int(rng.integers(len(values)))]
    encoding = encode_tight(question, objective, interval_ranges(question), Wanted(cutoff))
    for witness, value in list(zip(inputs, values, strict=True))[:40]:
        if encoding.model.integral:
            assert feasible(encoding, encoding.assignment(witness)) == (value >= cutoff)
        elif value >= cutoff:
            assert feasible(encoding, encoding.assignment(witness))
