"""The smallest perturbation against the true one: all inputs of tiny grids, all cells of boxes."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from oracle import true_distance, true_maximum
from pydantic import ValidationError
from tiny import random_question

from bnnray.attacks import Milp, MilpSettings, Outcome, PgdSettings, Task
from bnnray.attacks.aims import CLOSED
from bnnray.attacks.search import Search
from bnnray.datasets import load_dataset
from bnnray.encodings import interval_bound, interval_ranges
from bnnray.errors import BugError
from bnnray.models import load_model
from bnnray.network import Dense, Network, OutputLayer, SignLayer
from bnnray.solvers import BACKENDS, InProcess
from bnnray.threat import Domain, Goal, Norm, Question, Threat, parse_epsilon, replay
from bnnray.verdicts import Proof, Replay, Status, Verdict, is_flip

QUESTIONS = 35


def questions(domain: Domain, *, nasty: bool, local: bool) -> list[tuple[int, Question]]:
    """Some that intervals settle, and as many that they do not, with a clean image that keeps."""
    found: dict[bool, list[tuple[int, Question]]] = {True: [], False: []}
    for seed in itertools.count():
        rng = np.random.default_rng(seed)
        question = random_question(rng, domain, nasty=nasty, local=local)
        if question.targets:
            found[is_open(question)].append((seed, question))
        if len(found[True]) == QUESTIONS:
            return [*found[True], *found[False][:QUESTIONS]]
    raise AssertionError


def is_open(question: Question) -> bool:
    tie, last = question.threat.tie, interval_ranges(question)[-1]
    bound = max(interval_bound(o, last) for o in question.objectives)
    return is_flip(bound, tie) and not is_flip(question.clean_objective, tie)


def solve(question: Question, seed: int = 0, **settings) -> Outcome:
    return Milp(MilpSettings(**settings)).run([Task(question, seed)], InProcess())[0]


def check_sound(question: Question, outcome: Outcome, norm: Norm, where: str) -> Fraction | None:
    """What must hold however the search ended; returns the true distance."""
    true = true_distance(question, norm)
    assert outcome.status is not Status.CRASHED, f"{where}: {outcome.message}"
    assert outcome.bound is None or outcome.bound >= true_maximum(question), where
    if true is None:
        assert outcome.verdict is not Verdict.VULNERABLE, where
        assert outcome.distance is None, where
        return None
    assert outcome.verdict is not Verdict.ROBUST, where
    assert outcome.distance_bound is not None, where
    assert outcome.distance_bound <= true, where
    if outcome.distance is not None:
        again = replay(question, outcome.incumbent.witness)
        assert again.flipped, where
        assert again.distance(norm) == outcome.distance >= true, where
    distances = [p.distance for p in outcome.trace if p.distance is not None]
    assert distances == sorted(distances, reverse=True), where
    return true


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_on_the_grid_the_nearest_flip_is_found_and_proven(name, norm, local):
    for seed, question in questions(Domain.GRID, nasty=True, local=local):
        outcome = solve(question, seed, backend=name, minimize=norm)
        where = f"seed {seed} {outcome.status} {outcome.message}"
        true = check_sound(question, outcome, norm, where)
        if question.network.output.is_affine and abs(true_maximum(question)) < Fraction(1, 1000):
            continue
        assert outcome.replay is Replay.OK, where
        assert outcome.proof in (Proof.EXACT, Proof.SOLVER), where
        if true is None:
            assert outcome.verdict is Verdict.ROBUST, where
            assert outcome.distance_bound is None, where
        else:
            assert (outcome.status, outcome.verdict) == (Status.OPTIMAL, Verdict.VULNERABLE), where
            assert outcome.distance == outcome.distance_bound == true, where


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_on_the_box_the_infimum_is_met_within_tolerance(name, norm, local):
    flips = 0
    for seed, question in questions(Domain.BOX, nasty=False, local=local):
        outcome = solve(question, seed, backend=name, minimize=norm)
        where = f"seed {seed} {outcome.status} {outcome.message}"
        true = check_sound(question, outcome, norm, where)
        if true is None:
            assert outcome.verdict is Verdict.ROBUST, where
            continue
        flips += 1
        assert (outcome.status, outcome.verdict) == (Status.OPTIMAL, Verdict.VULNERABLE), where
        assert outcome.proof in (Proof.EXACT, Proof.SOLVER), where
        assert outcome.distance - true <= outcome.distance / 10_000, where
        assert true - outcome.distance_bound <= outcome.distance / 10_000, where
    assert flips > QUESTIONS / 2


@pytest.mark.parametrize("formulation", ["tight", "paper"])
@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_on_thresholds_no_claim_is_wrong(name, norm, formulation):
    """Nasty networks on the box, where the nearest flip may be a single point."""
    for seed, question in questions(Domain.BOX, nasty=True, local=True)[:40]:
        outcome = solve(question, seed, backend=name, minimize=norm, formulation=formulation)
        where = f"seed {seed} {outcome.status} {outcome.message}"
        true = check_sound(question, outcome, norm, where)
        if outcome.proof is not Proof.NONE and true is not None:
            assert outcome.distance - true <= outcome.distance / 10_000, where
        if formulation == "tight":
            assert outcome.status in (Status.OPTIMAL, Status.INFEASIBLE, Status.BAD_WITNESS), where


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("domain", list(Domain))
def test_a_warm_start_changes_no_answer(domain, norm):
    warm = PgdSettings(iterations=10, restarts=3)
    for seed, question in questions(domain, nasty=False, local=True)[:60]:
        outcome = solve(question, seed, backend="highs", minimize=norm, warm_start=warm)
        where = f"seed {seed} {outcome.status} {outcome.message}"
        true = check_sound(question, outcome, norm, where)
        assert outcome.verdict is (Verdict.ROBUST if true is None else Verdict.VULNERABLE), where
        if domain is Domain.GRID:
            assert outcome.distance == true, where


def flipped_when_clean() -> Question:
    made = (random_question(np.random.default_rng(s), Domain.BOX, "any") for s in range(1000))
    return next(q for q in made if q.clean_objective > 0)


def test_a_target_is_asked_again_when_another_flips_far_nearer():
    """Its limit had the tolerance of the larger budget that it was asked with."""
    for seed in (13, 109, 157):
        question = unshifted_question(np.random.default_rng(seed))
        outcome = solve(question, seed, backend="highs", minimize="linf")
        assert (outcome.status, outcome.verdict) == (Status.OPTIMAL, Verdict.VULNERABLE)
        assert outcome.proof is not Proof.NONE
        assert outcome.distance - outcome.distance_bound <= outcome.distance * CLOSED


def unshifted_question(rng: np.random.Generator) -> Question:
    """Six pixels, two layers of 15 units with thresholds of 0, any of five classes."""
    weights = [rng.choice([-1, 1], size=size).astype(np.int8) for size in ((15, 6), (15, 15))]
    ones, zeros = np.ones(15, np.float32), np.zeros(15, np.float32)
    hidden = tuple(SignLayer(Dense(w), ones, zeros) for w in weights)
    output = OutputLayer(Dense(rng.choice([-1, 1], size=(5, 15)).astype(np.int8)))
    threat = Threat(Fraction(3, 10), Domain.BOX, goal=Goal("any"))
    return Question(Network((6,), hidden, output), np.arange(6) * 37, 255, 0, threat)


@pytest.mark.parametrize("norm", list(Norm))
def test_a_clean_image_that_flips_is_at_distance_zero(norm):
    outcome = solve(flipped_when_clean(), minimize=norm)
    assert (outcome.status, outcome.proof) == (Status.OPTIMAL, Proof.EXACT)
    assert (outcome.distance, outcome.distance_bound) == (0, 0)
    assert outcome.effort.backend == ""


def test_without_minimizing_there_is_no_distance():
    outcome = solve(flipped_when_clean())
    assert (outcome.distance, outcome.distance_bound) == (None, None)
    assert {p.distance for p in outcome.trace} == {None}


def test_minimize_and_the_first_flip_contradict_each_other():
    with pytest.raises(ValidationError, match="contradict each other"):
        MilpSettings(minimize="l1", stop="flip")
    settings = MilpSettings(minimize="l1")
    assert MilpSettings.model_validate(settings.model_dump(mode="json")) == settings


def grid_search(norm: Norm | None = Norm.LINF, **settings) -> tuple[Search, np.ndarray]:
    """A search of a question that does not flip when clean, and a witness that flips."""
    for seed in range(1000):
        question = random_question(np.random.default_rng(seed), Domain.GRID, "any")
        if question.clean_objective < 0 < true_maximum(question):
            witness = solve(question, backend="highs").incumbent.witness
            return Search(question, 10.0, 0, InProcess(), minimize=norm, **settings), witness
    raise AssertionError("no such question")


def test_the_nearer_flip_is_kept_whatever_its_objective():
    search, witness = grid_search()
    search.offer(search.question.region.clean_witness)
    assert search.distance is None
    search.offer(witness)
    assert search.distance == replay(search.question, witness).distance(Norm.LINF) > 0
    search.offer(search.question.region.clean_witness)
    assert search.distance is not None


def test_a_limit_above_a_replayed_distance_is_a_bug():
    search, witness = grid_search()
    search.offer(witness)
    with pytest.raises(BugError, match="least distance of 2"):
        search.prove_distance(Fraction(2), Proof.SOLVER)
    search, witness = grid_search()
    search.prove_distance(Fraction(2), Proof.SOLVER)
    search.offer(witness)
    with pytest.raises(BugError, match="is nearer than 2"):
        search.outcome(Status.OPTIMAL)


def test_a_heuristic_proves_no_distance():
    search, _ = grid_search(complete=False)
    with pytest.raises(BugError, match="a heuristic must not prove"):
        search.prove_distance(Fraction(1, 9), Proof.EXACT)


def test_a_crash_keeps_the_flip_but_no_limit():
    search, witness = grid_search()
    search.offer(witness)
    search.prove_distance(search.distance, Proof.SOLVER)
    assert search.settled is Status.OPTIMAL
    outcome = search.outcome(Status.CRASHED)
    assert (outcome.distance_bound, outcome.proof) == (0, Proof.NONE)
    assert (outcome.verdict, outcome.distance) == (Verdict.VULNERABLE, search.distance)


@pytest.mark.parametrize(("norm", "epsilon"), [(Norm.LINF, "2/255"), (Norm.L1, "1/255")])
def test_on_real_images_both_back_ends_find_the_same_distance(real_data, networks, norm, epsilon):
    data = load_dataset("mnist", "test", real_data)
    network = load_model(networks / "mnist_2x100.bnn").network
    threat = Threat(parse_epsilon(epsilon), Domain.GRID, goal=Goal("any"))
    question = Question(network, data.pixels(18), 255, int(data.labels[18]), threat)
    found = [solve(question, backend=b, minimize=norm, time_limit=20.0) for b in sorted(BACKENDS)]
    for outcome in found:
        check_common_distance(outcome)
    proven = {o.distance for o in found if o.proof is not Proof.NONE}
    assert len(proven) == 1
    assert all(o.distance_bound <= min(p.distance for p in found) for o in found)


def check_common_distance(outcome: Outcome) -> None:
    assert outcome.verdict is Verdict.VULNERABLE
    assert 0 < outcome.distance_bound <= outcome.distance
    assert (outcome.distance * 255).denominator == 1
