"""The frame: it replays, keeps the best, and asks for the verdict; attacks only propose."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import true_maximum
from tiny import Size, random_network, random_question

from bnnray.attacks import (
    Attack,
    AttackSettings,
    Found,
    Milp,
    MilpSettings,
    Pgd,
    PgdSettings,
    Search,
    Task,
)
from bnnray.errors import BugError, LicenceError, UsageError
from bnnray.solvers import InProcess
from bnnray.threat import Domain, Goal, Norm, Question, Threat, parse_epsilon
from bnnray.verdicts import Proof, Replay, Status, Verdict

SEEDS = st.integers(0, 2**32 - 1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def flippable() -> tuple[Question, np.ndarray]:
    """A question that is not flipped at the clean input, and a witness that flips it."""
    for seed in range(1000):
        question = random_question(np.random.default_rng(seed), Domain.GRID, "any")
        if question.clean_objective < 0 < true_maximum(question):
            outcome = Milp(MilpSettings(backend="highs")).run([Task(question, 0)], InProcess())[0]
            return question, outcome.incumbent.witness
    raise AssertionError("no such question")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def search(clock) -> Search:
    return Search(flippable()[0], 10.0, 0, InProcess(), clock=clock)


def test_begins_with_the_clean_input(search):
    outcome = search.outcome(Status.TIME_LIMIT)
    assert outcome.trace[0].seconds == 0
    assert outcome.trace[0].objective == search.question.clean_objective
    assert (outcome.verdict, outcome.replay) == (Verdict.UNKNOWN, Replay.OK)


def test_a_flip_at_the_time_limit_is_vulnerable(search, clock):
    clock.now = 4.0
    search.offer(flippable()[1])
    outcome = search.outcome(Status.TIME_LIMIT)
    assert (outcome.verdict, outcome.status) == (Verdict.VULNERABLE, Status.TIME_LIMIT)
    assert outcome.trace[-1].seconds == 4.0


def test_a_claim_that_the_replay_denies_is_a_bad_witness_and_no_flip(search):
    clean = search.question.region.clean_witness
    assert not search.offer(clean, claimed=Fraction(99))
    outcome = search.outcome(Status.OPTIMAL)
    assert (outcome.status, outcome.replay) == (Status.BAD_WITNESS, Replay.DISAGREES)
    assert (outcome.verdict, outcome.claimed) == (Verdict.UNKNOWN, 99)


def test_a_claim_that_was_reached_later_is_no_bad_witness(search):
    witness = flippable()[1]
    reached = Search(search.question, 1.0, 0, InProcess())
    reached.offer(witness)
    search.offer(search.question.region.clean_witness, claimed=reached.objective)
    search.offer(witness)
    outcome = search.outcome(Status.OPTIMAL)
    assert (outcome.status, outcome.replay) == (Status.OPTIMAL, Replay.OK)


def test_a_witness_outside_the_budget_never_counts(search):
    assert not search.offer(search.question.region.upper + 1, claimed=Fraction(5))
    outcome = search.outcome(Status.OPTIMAL)
    assert outcome.status is Status.BAD_WITNESS
    assert outcome.incumbent.objective == search.question.clean_objective
    assert "must be in" in outcome.message


def test_a_bound_below_a_replayed_witness_is_a_bug(search):
    search.offer(flippable()[1])
    with pytest.raises(BugError, match="was proven"):
        search.prove(search.question.clean_objective, Proof.SOLVER)


def test_a_heuristic_never_proves():
    class Boaster(Attack[AttackSettings]):
        kind = "boaster"
        settings_type = AttackSettings

        def search(self, search: Search) -> Status:
            search.prove(Fraction(-99), Proof.EXACT)
            return Status.OPTIMAL

    settings = AttackSettings(kind="boaster")
    outcome = Boaster(settings).run([Task(flippable()[0], 0)], InProcess())[0]
    assert (outcome.status, outcome.verdict) == (Status.CRASHED, Verdict.UNKNOWN)
    assert "a heuristic must not prove" in outcome.message


def test_only_a_smaller_bound_replaces_one(search):
    maximum = search.question.maximum
    search.prove(maximum, Proof.EXACT)
    search.prove(maximum + 1, Proof.SOLVER)
    assert search.bound == maximum
    assert search.outcome(Status.TIME_LIMIT).proof is Proof.NONE


def test_a_bound_of_zero_proves_robustness_also_when_time_ran_out(search):
    search.prove(Fraction(0), Proof.SOLVER)
    outcome = search.outcome(Status.TIME_LIMIT)
    assert (outcome.verdict, outcome.proof) == (Verdict.ROBUST, Proof.SOLVER)


def test_a_crash_keeps_a_replayed_flip_but_no_bound(search):
    search.prove(Fraction(0), Proof.SOLVER)
    outcome = search.outcome(Status.CRASHED)
    assert (outcome.verdict, outcome.proof, outcome.bound) == (Verdict.UNKNOWN, Proof.NONE, None)


def test_an_open_gap_is_no_proof(search):
    search.prove(search.question.maximum, Proof.SOLVER)
    assert search.question.maximum > search.objective
    assert search.outcome(Status.OPTIMAL).proof is Proof.NONE


class Notes:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list = []

    def begun(self) -> None:
        self.told.append("begun")

    def found(self, witness) -> None:
        self.told.append(witness)

    def proved(self, bound, proof) -> None:
        self.told.append((bound, proof))

    def proved_distance(self, least, proof) -> None:
        self.told.append(("at least", least, proof))

    def took_back(self) -> None:
        self.told.append("took back")


def test_a_listener_is_told_of_what_is_better_only():
    question, witness = flippable()
    notes = Notes()
    search = Search(question, 10.0, 0, InProcess(), listener=notes)
    for _ in range(2):
        search.offer(witness)
        search.prove(question.maximum, Proof.EXACT)
    assert notes.told == ["begun", witness, (question.maximum, Proof.EXACT)]


def test_a_proven_distance_outlives_a_cut_off():
    question, witness = flippable()
    notes = Notes()
    search = Search(question, 10.0, 0, InProcess(), minimize=Norm.LINF, listener=notes)
    search.offer(witness)
    least = search.distance / 2
    search.prove_distance(least, Proof.SOLVER)
    assert notes.told[-1] == ("at least", least, Proof.SOLVER)
    attack = Milp(MilpSettings(backend="highs", minimize="linf"))
    found = Found(witness, None, (least, Proof.SOLVER))
    outcome = attack.cut_off(Task(question, 0), found, Status.KILLED, 7.0)
    assert (outcome.distance, outcome.distance_bound) == (2 * least, least)


def test_what_was_found_before_a_cut_off_is_replayed_and_counts():
    question, witness = flippable()
    attack, task = Milp(MilpSettings(backend="highs")), Task(question, 0)
    found = Found(witness, (question.maximum, Proof.SOLVER))
    outcome = attack.cut_off(task, found, Status.KILLED, 7.0)
    assert (outcome.verdict, outcome.status) == (Verdict.VULNERABLE, Status.KILLED)
    assert (outcome.seconds, outcome.bound) == (7.0, question.maximum)
    nothing = attack.cut_off(task, Found(), Status.MEMORY_LIMIT, 7.0)
    assert nothing.verdict is Verdict.UNKNOWN
    assert nothing.incumbent.objective == question.clean_objective


def test_a_finished_search_keeps_its_time(search, clock):
    clock.now = 3.0
    search.finish()
    clock.now = 9.0
    assert search.outcome(Status.FLIP_FOUND).seconds == 3.0


class Broken(Attack[AttackSettings]):
    kind = "broken"
    settings_type = AttackSettings

    def __init__(self, error: Exception) -> None:
        super().__init__(AttackSettings(kind="broken"))
        self._error = error

    def search(self, search: Search) -> Status:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("boom"), Status.CRASHED),
        (BugError("boom"), Status.CRASHED),
        (LicenceError("boom"), Status.LICENCE),
    ],
)
def test_a_failed_search_is_unknown_and_says_why(error, status):
    question, _ = flippable()
    outcome = Broken(error).run([Task(question, 0)], InProcess())[0]
    assert (outcome.status, outcome.verdict) == (status, Verdict.UNKNOWN)
    assert "boom" in outcome.message


def test_a_goal_that_is_attacked_is_skipped():
    question, _ = flippable()
    threat = Threat(Fraction(1), Domain.GRID, question.levels, Goal(str(question.predicted)))
    asked = Question(question.network, question.pixels, question.levels, 0, threat)
    outcomes = Pgd(PgdSettings()).run([Task(asked, 0)], InProcess())
    assert [o.status for o in outcomes] == [Status.SKIPPED]


@given(SEEDS)
def test_a_warm_start_is_part_of_the_units_time_and_never_hurts(seed):
    question = random_question(np.random.default_rng(seed), Domain.GRID, "any")
    warm = PgdSettings(iterations=5, restarts=3)
    settings = MilpSettings(backend="highs", warm_start=warm)
    outcome = Milp(settings).run([Task(question, seed)], InProcess())[0]
    assert outcome.incumbent.objective == true_maximum(question)
    assert 0 <= outcome.effort.warm_start_seconds <= outcome.seconds


def test_auto_names_the_back_end_that_ran():
    question, _ = flippable()
    outcome = Milp(MilpSettings()).run([Task(question, 0)], InProcess())[0]
    assert outcome.effort.backend in ("gurobi", "highs")


def test_the_papers_form_is_refused_on_the_grid():
    question, _ = flippable()
    attack = Milp(MilpSettings(formulation="paper"))
    with pytest.raises(UsageError, match='formulation = "paper" is for domain = "box" only'):
        attack.run([Task(question, 0)], InProcess())


def test_the_papers_form_of_2x500_is_too_large_for_pips_licence():
    rng = np.random.default_rng(0)
    network = random_network(rng, Size(784, (500, 500), 10, 255), nasty=False)
    question = Question(
        network, rng.integers(0, 256, size=784), 255, 0, Threat(parse_epsilon("0.0001"))
    )
    settings = {"time_limit": 3.0, "formulation": "paper", "name": "paper"}
    asked = Milp(MilpSettings(backend="gurobi", **settings)).run([Task(question, 0)], InProcess())
    assert (asked[0].status, asked[0].verdict) == (Status.LICENCE, Verdict.UNKNOWN)
    assert "2784 variables and 3000 rows" in asked[0].message
    outcome = Milp(MilpSettings(**settings)).run([Task(question, 0)], InProcess())[0]
    assert outcome.effort.backend == "highs"
    assert "2784 variables and 3000 rows" in outcome.message
    assert outcome.status is not Status.CRASHED


def test_auto_takes_highs_where_gurobis_licence_is_too_small():
    """4,000 units and 400 pixels pass the 2,000 variables of pip's licence."""
    rng = np.random.default_rng(0)
    network = random_network(rng, Size(400, (4000,), 2, 255), nasty=False)
    threat = Threat(Fraction(1, 2), Domain.GRID)
    question = Question(network, rng.integers(0, 256, size=400), 255, 0, threat)
    settings = {"time_limit": 3.0, "stop": "optimum"}
    outcome = Milp(MilpSettings(**settings)).run([Task(question, 0)], InProcess())[0]
    assert outcome.effort.backend == "highs"
    assert "Gurobi's licence here admits smaller models" in outcome.message
    asked = Milp(MilpSettings(backend="gurobi", **settings)).run([Task(question, 0)], InProcess())
    assert (asked[0].status, asked[0].verdict) == (Status.LICENCE, Verdict.UNKNOWN)
