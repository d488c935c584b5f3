"""A cascade: stages on one clock that share what they know, until the question is settled."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hostile import Hostile
from oracle import true_maximum
from test_enumeration import check_common, questions, tolerance
from test_search import Notes, flippable

from bnnray.attacks import (
    SINGLE,
    Attack,
    AttackSettings,
    Cascade,
    CascadeSettings,
    ExactSettings,
    Found,
    IpropSettings,
    MilpSettings,
    Outcome,
    PgdSettings,
    Search,
    Task,
)
from bnnray.attacks.bounds import TargetBounds
from bnnray.attacks.cascade import DEFAULT_STAGES
from bnnray.encodings import interval_bound, interval_ranges
from bnnray.errors import BugError, LicenceError, ProcessError, UsageError
from bnnray.solvers import InProcess
from bnnray.threat import Domain, Question, replay
from bnnray.verdicts import Proof, Status, Verdict, is_flip

PGD = PgdSettings(iterations=4, restarts=2)
IPROP = IpropSettings(backend="highs")
MILP = MilpSettings(backend="highs")


def cascade(*stages: AttackSettings, **settings: object) -> Cascade:
    return Cascade(CascadeSettings(stages=stages, **settings))


def ask(attack: Cascade, question: Question, seed: int = 0) -> Outcome:
    return attack.run([Task(question, seed)], InProcess())[0]


class Scripted(Attack[AttackSettings]):
    """Does what a test says."""

    settings_type = AttackSettings


@pytest.fixture
def stage(monkeypatch):
    """Registers a stage that runs a function on the search, and gives its settings."""

    def register(kind: str, does, *, proves: bool = True, **settings) -> AttackSettings:
        members = {"kind": kind, "complete": proves, "search": lambda self, search: does(search)}
        monkeypatch.setitem(SINGLE, kind, type(kind, (Scripted,), members))
        return AttackSettings(kind=kind, **settings)

    return register


def waits(search: Search) -> Status:
    while search.remaining > 0:
        time.sleep(0.005)
    return Status.TIME_LIMIT


def fails(error: Exception):
    def search(_search: Search) -> Status:
        raise error

    return search


def ran(outcome: Outcome) -> list[str]:
    """The stages of the job file that ran."""
    return [name for name in outcome.stage_seconds if name != "intervals"]


def is_open(question: Question) -> bool:
    """Whether interval arithmetic leaves more than the clean objective to the first target."""
    reach = interval_bound(question.objectives[0], interval_ranges(question)[-1])
    return reach > question.clean_objective


def check_stages(attack: Cascade, outcome: Outcome, where: str) -> None:
    names = [stage.name for stage in attack.settings.stages]
    if any(SINGLE[stage.kind].complete for stage in attack.settings.stages):
        names = ["intervals", *names]
    assert list(outcome.stage_seconds) == names[: len(outcome.stage_seconds)], where
    assert sum(outcome.stage_seconds.values()) <= outcome.seconds, where
    assert outcome.decided_by in ("", *outcome.stage_seconds), where
    if outcome.verdict is Verdict.UNKNOWN:
        assert outcome.decided_by == "", where


@pytest.mark.parametrize("prover", [MILP, ExactSettings()], ids=lambda stage: stage.kind)
@pytest.mark.parametrize("domain", list(Domain))
def test_it_proves_the_true_optimum(domain, prover):
    attack = cascade(PGD, IPROP, prover)
    optimal, asked, deciders = 0, questions(domain, 0, share=0.3), set()
    for seed, question in asked:
        true = true_maximum(question)
        outcome = ask(attack, question, seed)
        where = f"seed {seed} {outcome.status} {outcome.message}"
        check_common(question, outcome, true, where)
        check_stages(attack, outcome, where)
        if outcome.status is Status.BAD_WITNESS:
            assert domain is Domain.BOX, where
            continue
        optimal += 1
        assert outcome.status is Status.OPTIMAL, where
        assert outcome.incumbent.objective == true, where
        assert outcome.bound - true <= tolerance(question), where
        if outcome.bound == true:
            assert outcome.proof is not Proof.NONE, where
            deciders.add(outcome.decided_by)
    assert optimal >= 0.95 * len(asked)
    assert prover.kind in deciders


@pytest.mark.parametrize("domain", list(Domain))
def test_the_first_flip_or_the_proof_that_there_is_none_ends_it(domain):
    attack = cascade(PGD, MILP, stop="flip")
    deciders = set()
    for seed, question in questions(domain, 1, share=0.3):
        true = true_maximum(question)
        outcome = ask(attack, question, seed)
        where = f"seed {seed} {outcome.status} {outcome.message}"
        check_common(question, outcome, true, where)
        check_stages(attack, outcome, where)
        if outcome.status is Status.BAD_WITNESS or abs(true) <= tolerance(question):
            continue
        flips = is_flip(true, question.threat.tie)
        assert outcome.verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST), where
        assert outcome.decided_by == (list(outcome.stage_seconds) or [""])[-1], where
        deciders.add((outcome.decided_by, outcome.verdict))
    assert deciders >= {
        ("", Verdict.VULNERABLE),  # by the clean image
        ("pgd", Verdict.VULNERABLE),
        ("intervals", Verdict.ROBUST),
    }


@pytest.mark.parametrize("domain", list(Domain))
def test_heuristics_alone_never_prove(domain):
    attack = cascade(PGD, IPROP)
    found = set()
    for seed, question in questions(domain, 2, share=0.1):
        outcome = ask(attack, question, seed)
        check_common(question, outcome, true_maximum(question), f"seed {seed}")
        check_stages(attack, outcome, f"seed {seed}")
        assert (outcome.bound, outcome.proof) == (None, Proof.NONE)
        assert outcome.status is Status.LOCAL_OPTIMUM
        assert list(outcome.stage_seconds) == ["pgd", "iprop"]
        found.add(outcome.decided_by)
    assert found >= {"", "pgd"}


def test_a_heuristic_stage_that_proves_counts_as_crashed(stage):
    def boasts(search: Search) -> Status:
        search.prove(search.objective, Proof.EXACT)
        return Status.OPTIMAL

    question, _ = flippable()
    outcome = ask(cascade(MILP, stage("boaster", boasts, proves=False)), question)
    assert (outcome.status, outcome.decided_by) == (Status.OPTIMAL, "milp")
    outcome = ask(cascade(stage("boaster", boasts, proves=False), MILP), question)
    assert (outcome.status, outcome.decided_by) == (Status.OPTIMAL, "milp")
    assert outcome.incumbent.objective == true_maximum(question)
    assert outcome.message.startswith("stage boaster: BugError: a heuristic must not prove")


def below_known(search: Search) -> Fraction:
    """A bound between the incumbent's objective and what is proven."""
    return (search.bound + search.objective) / 2


def test_a_later_stage_begins_with_what_is_known(stage):
    question, witness = flippable()
    left, begun = [], []

    def finds(search: Search) -> Status:
        search.prove(below_known(search), Proof.SOLVER)
        if below_known(search) >= replay(question, witness).objective:
            search.offer(witness)
        search.effort.nodes = 3
        search.message = "so far"
        left.append((search.incumbent.witness, search.bound, 0, ""))
        return Status.NODE_LIMIT

    def looks(search: Search) -> Status:
        begun.append((search.incumbent.witness, search.bound, search.effort.nodes, search.message))
        return Status.LOCAL_OPTIMUM

    outcome = ask(cascade(stage("finder", finds), stage("looker", looks, proves=False)), question)
    assert begun == left
    assert outcome.status is Status.LOCAL_OPTIMUM
    assert (outcome.bound, outcome.effort.nodes) == (left[0][1], 3)
    assert outcome.message == "stage finder: so far"


def test_who_proves_the_optimum_decides_not_who_flipped_first(stage):
    question, witness = flippable()

    def flips(search: Search) -> Status:
        search.offer(witness)
        return Status.ITERATION_LIMIT

    outcome = ask(cascade(stage("flipper", flips), MILP), question)
    assert (outcome.status, outcome.decided_by) == (Status.OPTIMAL, "milp")
    outcome = ask(cascade(stage("flipper", flips), MILP, stop="flip"), question)
    assert (outcome.status, outcome.decided_by) == (Status.FLIP_FOUND, "flipper")
    assert ran(outcome) == ["flipper"]


def test_what_is_proven_of_each_target_is_there_for_the_next_stage(stage):
    question = next(q for _, q in questions(Domain.GRID, 3) if len(q.targets) > 1 and is_open(q))
    target, lowest = question.objectives[-1], Fraction(-1000)
    seen = []

    def proves(search: Search) -> Status:
        bounds = TargetBounds(search, interval_ranges(search.question)[-1])
        bounds.tighten(target, lowest, Proof.SOLVER)
        return Status.NODE_LIMIT

    def looks(search: Search) -> Status:
        bounds = TargetBounds(search, interval_ranges(search.question)[-1])
        seen.append(bounds.of(target))
        return Status.NODE_LIMIT

    ask(cascade(stage("prover", proves), stage("looker", looks)), question)
    assert seen == [lowest]
    seen.clear()

    def proves_and_dies(search: Search) -> Status:
        proves(search)
        return Status.CRASHED

    ask(cascade(stage("prover", proves_and_dies), stage("looker", looks)), question)
    assert len(seen) == 1
    assert seen[0] > lowest


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("boom"), Status.CRASHED, "stage bad: ValueError: boom ("),
        (BugError("boom"), Status.CRASHED, "stage bad: BugError: boom ("),
        (LicenceError("boom"), Status.LICENCE, "stage bad: boom"),
        (MemoryError(), Status.MEMORY_LIMIT, "stage bad: the search found no more memory"),
    ],
)
def test_a_stage_that_fails_does_not_end_the_others(stage, error, status, said):
    question, _ = flippable()
    bad = stage("bad", fails(error))
    outcome = ask(cascade(bad, MILP), question)
    assert (outcome.status, outcome.incumbent.objective) == (Status.OPTIMAL, true_maximum(question))
    assert outcome.message.startswith(said)
    assert ran(outcome) == ["bad", "milp"]
    outcome = ask(cascade(PgdSettings(), bad), question)
    assert outcome.status is status
    assert outcome.message.startswith(said)
    assert (outcome.verdict, outcome.decided_by) == (Verdict.VULNERABLE, "pgd")


def test_hostile_stages_do_not_cost_the_others_their_results(monkeypatch):
    monkeypatch.setitem(SINGLE, "hostile", Hostile)
    question, _ = flippable()
    for where in ("search", "solver"):
        bad = {"kind": "hostile", "where": where, "how": "raise"}
        outcome = Cascade(CascadeSettings(stages=[bad, MILP])).run([Task(question, 0)], InProcess())
        assert (outcome[0].status, outcome[0].decided_by) == (Status.OPTIMAL, "milp")
        assert "stage hostile: ArithmeticError: as told" in outcome[0].message


def test_what_a_crashed_stage_proved_is_taken_back(stage):
    question, _ = flippable()
    notes, lie, proven = Notes(), (Fraction(0), Proof.SOLVER), []

    def lies(search: Search) -> Status:
        search.prove(*lie)
        return Status.CRASHED

    def bounds(search: Search) -> Status:
        proven.append(search.bound / 2)
        search.prove(proven[0], Proof.EXACT)
        return Status.NODE_LIMIT

    liar, bounder = stage("liar", lies), stage("bounder", bounds)
    rest = stage("rest", lambda _: Status.LOCAL_OPTIMUM, proves=False)
    outcome = cascade(liar, rest).run([Task(question, 0, notes)], InProcess())[0]
    interval = notes.told[1]
    assert (outcome.verdict, outcome.bound) == (Verdict.UNKNOWN, interval[0])
    assert (outcome.status, outcome.decided_by) == (Status.LOCAL_OPTIMUM, "")
    assert notes.told == ["begun", interval, lie, "took back", interval]
    outcome = cascade(bounder, liar).run([Task(question, 0, notes)], InProcess())[0]
    assert (outcome.verdict, outcome.bound) == (Verdict.UNKNOWN, proven[0])
    assert outcome.status is Status.CRASHED
    assert notes.told[-2:] == ["took back", (proven[0], Proof.EXACT)]
    assert outcome.trace[-1].bound == proven[0] < interval[0]


def test_the_machines_faults_are_no_outcome(stage):
    with pytest.raises(ProcessError):
        ask(cascade(stage("bad", fails(ProcessError("no process"))), MILP), flippable()[0])


def test_a_stages_limit_ends_it_and_the_next_one_goes_on(stage):
    question, _ = flippable()
    waiter = stage("waiter", waits, time_limit=0.1)
    repeating = PgdSettings(repeat=True, time_limit=0.1, name="again")
    outcome = ask(cascade(waiter, repeating, MILP), question)
    assert ran(outcome) == ["waiter", "again", "milp"]
    assert min(outcome.stage_seconds["waiter"], outcome.stage_seconds["again"]) > 0.099
    assert outcome.status is Status.OPTIMAL
    assert outcome.seconds > 0.199
    assert [p.seconds for p in outcome.trace] == sorted(p.seconds for p in outcome.trace)


def test_the_limit_of_the_whole_holds_for_every_stage(stage):
    question, _ = flippable()
    first = stage("first", waits, time_limit=0.05)
    second, third = stage("second", waits), stage("third", waits)
    outcome = ask(cascade(first, second, third, time_limit=0.2), question)
    assert outcome.status is Status.TIME_LIMIT
    assert ran(outcome) == ["first", "second"]
    assert outcome.seconds > 0.199


def test_a_cascade_that_runs_out_of_time_says_so_whatever_its_stage_said(stage):
    def late(search: Search) -> Status:
        waits(search)
        return Status.ITERATION_LIMIT

    outcome = ask(cascade(stage("late", late), MILP, time_limit=0.05), flippable()[0])
    assert (outcome.status, ran(outcome)) == (Status.TIME_LIMIT, ["late"])


def test_the_effort_of_all_stages_is_counted(stage):
    question, _ = flippable()

    def works(search: Search) -> Status:
        assert search.effort.iterations == search.effort.nodes == 0
        search.effort.iterations, search.effort.nodes = 3, 5
        search.effort.peak_rss_bytes = 7
        return Status.LOCAL_OPTIMUM

    a, b = stage("a", works, proves=False), stage("b", works, proves=False)
    effort = ask(cascade(a, b), question).effort
    assert (effort.iterations, effort.nodes, effort.peak_rss_bytes) == (6, 10, 7)
    outcome = ask(cascade(PGD, IPROP, MILP), question)
    assert outcome.effort.backend == "highs"
    assert 0 < outcome.effort.build_seconds + outcome.effort.solve_seconds <= outcome.seconds
    assert outcome.effort.iterations > ask(cascade(PGD), question).effort.iterations
    assert outcome.effort.unstable is not None


def test_a_stage_has_its_own_seed_which_no_other_stage_changes(stage):
    seeds = []

    def notes(search: Search) -> Status:
        seeds.append(search.seed)
        return Status.LOCAL_OPTIMUM

    question, _ = flippable()
    a, b = stage("a", notes), stage("b", notes)
    ask(cascade(a, b), question, seed=7)
    ask(cascade(b), question, seed=7)
    ask(cascade(b), question, seed=8)
    assert seeds[1] == seeds[2]
    assert len(set(seeds)) == 3
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_same_seed_gives_the_same_answer():
    for seed, question in questions(Domain.BOX, 3, share=0.05):
        one, two = (ask(cascade(PGD, IPROP), question, seed) for _ in range(2))
        assert (one.incumbent.witness == two.incumbent.witness).all()
        assert one.effort.iterations == two.effort.iterations


def test_what_is_flipped_already_needs_no_stage():
    flipped = (q for _, q in questions(Domain.GRID, 0) if q.clean_objective > 0)
    outcome = ask(cascade(PGD, MILP, stop="flip"), next(flipped))
    assert (outcome.status, outcome.decided_by) == (Status.FLIP_FOUND, "")
    assert outcome.stage_seconds == {}


def test_a_search_that_was_killed_has_no_stages():
    question, witness = flippable()
    attack = cascade(PGD, MILP)
    found = Found(witness, (question.maximum, Proof.SOLVER))
    outcome = attack.cut_off(Task(question, 0), found, Status.KILLED, 7.0)
    assert (outcome.verdict, outcome.bound) == (Verdict.VULNERABLE, question.maximum)
    assert (outcome.decided_by, outcome.stage_seconds) == ("", {})


def test_what_intervals_prove_needs_no_stage():
    robust = (q for _, q in questions(Domain.BOX, 0) if true_maximum(q) < 0)
    outcomes = [ask(cascade(IPROP, MILP, stop="flip"), next(robust)) for _ in range(20)]
    by_intervals = [o for o in outcomes if o.decided_by == "intervals"]
    assert by_intervals
    for outcome in by_intervals:
        assert list(outcome.stage_seconds) == ["intervals"]
        assert (outcome.verdict, outcome.proof) == (Verdict.ROBUST, Proof.EXACT)
        assert outcome.status in (Status.INFEASIBLE, Status.OPTIMAL)


def test_modules_are_those_of_all_stages():
    assert cascade(MILP, PGD, IPROP).modules == ("bnnray.models.ascent",)
    assert cascade(MILP, IPROP).modules == ()


def test_a_stage_that_does_not_fit_the_domain_is_named():
    attack = cascade(PGD, MilpSettings(formulation="paper", name="printed"))
    with pytest.raises(UsageError, match="stage 'printed': formulation = \"paper\" is for"):
        ask(attack, flippable()[0])


def test_without_stages_it_has_the_default_ones():
    stages = CascadeSettings().stages
    assert [stage.kind for stage in stages] == [table["kind"] for table in DEFAULT_STAGES]
    assert (stages[0].restarts, stages[0].time_limit) == (2, 1.0)
    assert stages[-1].time_limit == CascadeSettings().time_limit


def test_a_stage_without_a_limit_has_the_cascades():
    settings = CascadeSettings(stages=(PgdSettings(time_limit=2.0), MILP), time_limit=30.0)
    assert [stage.time_limit for stage in settings.stages] == [2.0, 30.0]


@pytest.mark.parametrize("stop", ["optimum", "flip"])
def test_witnesses_reach_the_listener_once(stop):
    question, _ = flippable()
    notes = Notes()
    cascade(PGD, MILP, stop=stop).run([Task(question, 0, notes)], InProcess())
    assert [told for told in notes.told if isinstance(told, str)] == ["begun"]
    found = [told for told in notes.told if isinstance(told, np.ndarray)]
    assert 0 < len(found) == len({w.tobytes() for w in found})
