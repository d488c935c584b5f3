"""The attack by SAT solvers against the truth, against the engine, and against bad input."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from oracle import grid_inputs, true_maximum
from pydantic import ValidationError
from tiny import random_network, random_question, random_size

from bnnray.attacks import (
    Cascade,
    CascadeSettings,
    Exact,
    ExactSettings,
    SatAttack,
    SatSettings,
    Task,
    flip_all,
)
from bnnray.datasets import load_dataset
from bnnray.errors import ProofError, UsageError
from bnnray.models import load_model
from bnnray.network import Dense, Network, OutputLayer, SignLayer
from bnnray.proofs import check_proof
from bnnray.solvers import SAT_SOLVERS, InProcess
from bnnray.threat import Against, Domain, Goal, Question, Threat, parse_epsilon, replay
from bnnray.verdicts import Proof, Status, Verdict, is_flip

SOLVERS = sorted(SAT_SOLVERS)


def ask(question: Question, **settings):
    attack = SatAttack(SatSettings(**{"time_limit": 60.0, **settings}))
    return attack.run([Task(question, 0)], InProcess())[0]


def questions(seeds: range, *, local: bool = False) -> list[Question]:
    made = [random_question(np.random.default_rng(s), Domain.GRID, local=local) for s in seeds]
    return [q for q in made if q.targets]


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_it_decides_flips_and_proves_optima(solver, local):
    """0, 1 and -1 weights, negative and zero scales, ties, affine scores, all goals, 1 to 3 layers;
    local: masks and few pixels."""
    flips = 0
    for number, question in enumerate(questions(range(150), local=local)):
        true = true_maximum(question)
        flip, optimum = ask(question, solver=solver), ask(question, solver=solver, stop="optimum")
        expected = Verdict.VULNERABLE if is_flip(true, question.threat.tie) else Verdict.ROBUST
        assert flip.verdict is optimum.verdict is expected, number
        assert flip.bound is None or flip.bound >= true, number
        assert optimum.status is Status.OPTIMAL, number
        assert optimum.bound == optimum.incumbent.objective == true, number
        flips += expected is Verdict.VULNERABLE
    assert flips > 25


def test_a_larger_crowd_of_questions_by_the_default():
    for number, question in enumerate(questions(range(1000, 1600))):
        verdict = ask(question).verdict
        flips = is_flip(true_maximum(question), question.threat.tie)
        assert verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST), number


def between(low: int, high: int, levels: int) -> Question:
    """One pixel at 0; class 1 wins iff its level is from low to high."""
    hidden = SignLayer(
        Dense(np.array([[1], [-1]], dtype=np.int8)),
        np.array([levels, levels], dtype=np.float32),
        np.array([-low, high], dtype=np.float32),
    )
    output = OutputLayer(
        Dense(np.array([[-1, -1], [1, 1]], dtype=np.int8)),
        np.array([1, 1], dtype=np.float32),
        np.array([0, -1], dtype=np.float32),
    )
    threat = Threat(Fraction(1), Domain.GRID, levels=levels, goal=Goal("1"), against=Against.LABEL)
    return Question(Network((1,), (hidden,), output), np.array([0]), levels, 0, threat)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_level_between_the_ends_is_reached(solver):
    """A sum of n ordered literals that is only ever 0, 1 or n would call these robust."""
    for levels in (3, 5):
        for low in range(levels + 1):
            for high in range(low - 1, levels + 1):
                question = between(low, high, levels)
                outcome = ask(question, solver=solver)
                flips = is_flip(true_maximum(question), "keep")
                assert flips == (low <= high)
                assert outcome.verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST)


@pytest.mark.parametrize("solver", SOLVERS)
def test_several_networks_are_flipped_by_one_input_or_by_none(solver):
    """Against all inputs; each network has its own goal and its own number of layers."""
    found = dict.fromkeys(Verdict, 0)
    for seed in range(80):
        rng = np.random.default_rng(seed)
        first = random_question(rng, Domain.GRID, goal="any", local=seed % 3 == 0)
        together = [first]
        for _ in range(int(rng.integers(1, 3))):
            size = replace(
                random_size(rng),
                pixels=first.network.pixels,
                classes=first.network.classes,
                levels=first.levels,
            )
            together.append(replace(first, network=random_network(rng, size, nasty=True)))
        flips = any(
            all(replay(q, levels).flipped for q in together) for levels in grid_inputs(first)
        )
        answer = flip_all(together, SatSettings(solver=solver))
        assert answer.verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST), seed
        found[answer.verdict] += 1
        if answer.witness is not None:
            assert all(replay(q, answer.witness).flipped for q in together)
    assert min(found[Verdict.VULNERABLE], found[Verdict.ROBUST]) > 10


def test_networks_with_different_images_are_no_one_question():
    one = next(q for q in questions(range(50)) if q.network.pixels == 3)
    other = replace(one, pixels=(one.pixels + 1) % (one.levels + 1))
    if not replay(one, one.region.clean_witness).flipped:
        with pytest.raises(UsageError, match="one image and budget"):
            flip_all([one, other])


@pytest.fixture(scope="module")
def question_of(real_data, networks):
    data = load_dataset("mnist", "test", real_data)

    def make(net: str, point: int, epsilon: str, goal: str = "runner-up") -> Question:
        network = load_model(networks / f"mnist_{net}.bnn").network
        threat = Threat(parse_epsilon(epsilon), Domain.GRID, goal=Goal(goal))
        return Question(network, data.pixels(point), 255, int(data.labels[point]), threat)

    return make


@pytest.mark.parametrize(
    ("net", "epsilon", "points"),
    [("2x100", "1/255", (1, 2, 6, 8)), ("2x100", "2/255", (0, 1, 8)), ("5x100", "1/255", (0, 3))],
)
def test_it_agrees_with_the_engine_on_real_points(question_of, net, epsilon, points):
    for point in points:
        question = question_of(net, point, epsilon)
        sat = ask(question)
        exact = Exact(ExactSettings(stop="flip")).run([Task(question, 0)], InProcess())[0]
        assert sat.verdict is exact.verdict is not Verdict.UNKNOWN, point
        assert sat.effort.variables > 1000
        assert sat.effort.constraints > 500
        assert sat.effort.backend == "minicard"


def test_any_target_of_a_real_point_and_the_optimum(question_of):
    question = question_of("2x100", 8, "1/255", "any")
    exact = Exact(ExactSettings()).run([Task(question, 0)], InProcess())[0]
    assert ask(question, stop="optimum").bound == exact.bound
    assert ask(question).verdict is exact.verdict


@pytest.mark.parametrize("solver", [n for n in SOLVERS if SAT_SOLVERS[n].proves])
def test_a_proof_is_checked_before_it_counts(solver):
    exact = 0
    for question in questions(range(60)):
        for stop in ("flip", "optimum"):
            outcome = ask(question, solver=solver, stop=stop, proof=True)
            true = true_maximum(question)
            if outcome.proof_text:
                exact += 1
                assert outcome.proof is Proof.EXACT
                assert check_proof(question, outcome.proof_text) == outcome.bound >= true
            elif outcome.status is not Status.FLIP_FOUND:
                assert question.network.output.is_affine
                assert outcome.message == "no proof is written for affine scores"
    assert exact > 50


@pytest.mark.parametrize("solver", ["gluecard4", "cadical195"])
def test_the_proof_of_a_real_point_holds_and_a_tampered_one_is_refused(question_of, solver):
    question = question_of("2x100", 1, "1/255")
    outcome = ask(question, solver=solver, proof=True)
    assert (outcome.verdict, outcome.proof) == (Verdict.ROBUST, Proof.EXACT)
    text = outcome.proof_text
    assert check_proof(question, text) == outcome.bound
    other = question_of("2x100", 8, "1/255")  # it can be flipped
    with pytest.raises(ProofError):
        check_proof(other, text)
    with pytest.raises(ProofError):
        check_proof(question_of("2x100", 1, "12/255"), text)
    lower = text.replace(f"bound {outcome.bound}\n", "bound -30\n")
    with pytest.raises(ProofError):
        check_proof(question, lower)


def test_without_time_to_check_a_proof_the_solver_is_believed(question_of):
    question = question_of("2x100", 2, "1/255")
    outcome = ask(question, solver="gluecard4", proof=True, time_limit=1.5)
    assert outcome.proof is not Proof.EXACT
    assert outcome.proof_text == ""


def test_as_a_stage_it_takes_over_what_was_found(question_of):
    stages = [{"kind": "pgd", "iterations": 3, "restarts": 1}, {"kind": "sat"}]
    settings = CascadeSettings.model_validate({"kind": "cascade", "stop": "flip", "stages": stages})
    outcome = Cascade(settings).run([Task(question_of("2x100", 2, "1/255"), 0)], InProcess())[0]
    assert (outcome.verdict, outcome.decided_by) == (Verdict.ROBUST, "sat")


def test_what_it_cannot_is_refused_in_one_line():
    with pytest.raises(UsageError, match='use domain = "grid"'):
        SatSettings().check_threat(Domain.BOX, None)
    with pytest.raises(UsageError, match="max_pixels = 3"):
        SatSettings(proof=True).check_threat(Domain.GRID, 3)
    with pytest.raises(ValidationError, match="minicard logs no proof that can be checked"):
        SatSettings(solver="minicard", proof=True)
    SatSettings().check_threat(Domain.GRID, 3)
