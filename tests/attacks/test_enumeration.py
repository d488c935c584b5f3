"""Every attack against the true maximum of thousands of tiny questions, in both domains.

Networks with weights of 0, negative and zero scales, thresholds on reachable sums, affine
scores and ties; every goal. A heuristic is never above the truth, a complete attack equal to it.
"""

from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from oracle import true_maximum
from tiny import random_question

from bnnray.attacks import (
    Exact,
    ExactSettings,
    Iprop,
    IpropSettings,
    Milp,
    MilpSettings,
    Pgd,
    PgdSettings,
    Task,
)
from bnnray.attacks.pgd import SurrogateName
from bnnray.solvers import BACKENDS, InProcess
from bnnray.threat import Domain, Question, replay
from bnnray.verdicts import Proof, Replay, Status, Verdict, is_flip

CHUNKS, QUESTIONS = 4, {Domain.GRID: 750, Domain.BOX: 240}


def questions(
    domain: Domain, chunk: int, *, nasty: bool = True, local: bool = False, share: float = 1.0
) -> list[tuple[int, Question]]:
    count = int(QUESTIONS[domain] * share)
    seeds = range(chunk * count, (chunk + 1) * count)
    made = [
        (s, random_question(np.random.default_rng(s), domain, nasty=nasty, local=local))
        for s in seeds
    ]
    return [(seed, question) for seed, question in made if question.targets]


def tolerance(question: Question) -> Fraction:
    """How far a solver's bound may lie above the truth: nothing where values are integers."""
    if not question.network.output.is_affine:
        return Fraction(0)
    return abs(question.maximum) / 1000 + Fraction(1, 1000)


def check_common(question: Question, outcome, true: Fraction, where: str) -> None:
    assert outcome.incumbent is not None, f"{where}: {outcome.message}"
    again = replay(question, outcome.incumbent.witness)
    assert again.objective == outcome.incumbent.objective <= true, where
    assert outcome.bound is None or outcome.bound >= true, where
    flips = is_flip(true, question.threat.tie)
    assert outcome.verdict is not (Verdict.ROBUST if flips else Verdict.VULNERABLE), where
    assert outcome.trace[0].objective == question.clean_objective, where
    objectives = [point.objective for point in outcome.trace]
    assert objectives == sorted(objectives), where


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", sorted(BACKENDS))
@pytest.mark.parametrize("domain", list(Domain))
def test_milp_proves_the_true_optimum(domain, name, chunk):
    check_optima(domain, Milp(MilpSettings(backend=name)), questions(domain, chunk))


@pytest.mark.parametrize("name", sorted(BACKENDS))
@pytest.mark.parametrize("domain", list(Domain))
def test_milp_proves_the_true_optimum_where_few_pixels_change(domain, name):
    asked = questions(domain, 0, local=True, share=0.5)
    check_optima(domain, Milp(MilpSettings(backend=name)), asked)


def check_optima(domain: Domain, attack: Milp, asked: list[tuple[int, Question]]) -> None:
    proven = 0
    for seed, question in asked:
        true = true_maximum(question)
        outcome = attack.run([Task(question, seed)], InProcess())[0]
        where = f"seed {seed} {outcome.status} {outcome.message}"
        check_common(question, outcome, true, where)
        if outcome.status is Status.BAD_WITNESS:
            assert domain is Domain.BOX, where
            assert outcome.claimed > outcome.incumbent.objective, where
            continue
        proven += 1
        assert outcome.status is Status.OPTIMAL, where
        assert outcome.replay is Replay.OK, where
        assert outcome.incumbent.objective == true, where
        assert outcome.bound - true <= tolerance(question), where
        if outcome.bound == true:
            assert outcome.proof in (Proof.EXACT, Proof.SOLVER), where
        if abs(true) > tolerance(question) or not question.network.output.is_affine:
            flips = is_flip(true, question.threat.tie)
            assert outcome.verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST), where
    assert proven >= 0.95 * len(asked)


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", sorted(BACKENDS))
@pytest.mark.parametrize("domain", list(Domain))
def test_milp_decides_flips(domain, name, chunk):
    attack = Milp(MilpSettings(backend=name, stop="flip"))
    for seed, question in questions(domain, chunk, share=0.5):
        true = true_maximum(question)
        outcome = attack.run([Task(question, seed)], InProcess())[0]
        where = f"seed {seed} {outcome.status} {outcome.message}"
        check_common(question, outcome, true, where)
        if outcome.status is Status.BAD_WITNESS:
            assert domain is Domain.BOX, where
            continue
        if abs(true) > tolerance(question) or not question.network.output.is_affine:
            flips = is_flip(true, question.threat.tie)
            assert outcome.verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST), where
            if question.clean_objective <= 0 and flips:
                assert outcome.status is Status.FLIP_FOUND, where


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("domain", list(Domain))
def test_on_networks_without_ties_at_thresholds_nothing_stays_open(domain, chunk):
    """With generic thresholds every optimum on the box has room, so none may be missed."""
    attack = Milp(MilpSettings(backend="highs"))
    for seed, question in questions(domain, chunk, nasty=False):
        true = true_maximum(question)
        outcome = attack.run([Task(question, seed)], InProcess())[0]
        assert (outcome.status, outcome.bound) == (Status.OPTIMAL, true), f"seed {seed}"


@pytest.mark.parametrize("nasty", [False, True])
@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_the_papers_form_is_never_wrong_and_closes_where_nothing_lies_on_a_threshold(name, nasty):
    """It admits both signs at a threshold: a claim there is denied, and the bound is kept."""
    attack = Milp(MilpSettings(backend=name, formulation="paper"))
    denied, asked = 0, questions(Domain.BOX, 0, nasty=nasty, local=True)
    for seed, question in asked:
        true = true_maximum(question)
        outcome = attack.run([Task(question, seed)], InProcess())[0]
        where = f"seed {seed} {outcome.status} {outcome.message}"
        check_common(question, outcome, true, where)
        assert nasty or outcome.bound == true, where
        if outcome.status is Status.BAD_WITNESS:
            denied += 1
            assert outcome.claimed > outcome.incumbent.objective, where
        else:
            assert (outcome.status, outcome.replay) == (Status.OPTIMAL, Replay.OK), where
            assert outcome.incumbent.objective == true, where
    assert denied < 0.2 * len(asked)


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_both_formulations_prove_and_claim_the_same_on_generic_networks(name):
    for seed, question in questions(Domain.BOX, 1, nasty=False):
        tight, paper = (
            Milp(MilpSettings(backend=name, formulation=form)).run(
                [Task(question, seed)], InProcess()
            )[0]
            for form in ("tight", "paper")
        )
        assert tight.bound == paper.bound == tight.claimed == paper.claimed, f"seed {seed}"


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize(("chunk", "surrogate"), list(enumerate(get_args(SurrogateName))))
@pytest.mark.parametrize("domain", list(Domain))
def test_pgd_is_never_above_the_truth_and_finds_flips(domain, chunk, surrogate, local):
    attack = Pgd(PgdSettings(surrogate=surrogate, iterations=15, restarts=4))
    flips = found = 0
    for seed, question in questions(domain, chunk, local=local, share=0.25 if local else 0.5):
        true = true_maximum(question)
        outcome = attack.run([Task(question, seed)], InProcess())[0]
        check_common(question, outcome, true, f"seed {seed}")
        assert outcome.message == ""
        assert (outcome.bound, outcome.proof) == (None, Proof.NONE)
        assert outcome.verdict is not Verdict.ROBUST
        flips += is_flip(true, question.threat.tie)
        found += outcome.verdict is Verdict.VULNERABLE
    assert found > 0.8 * flips


@pytest.mark.parametrize("name", sorted(BACKENDS))
@pytest.mark.parametrize("domain", list(Domain))
def test_iprop_is_never_above_the_truth_and_finds_flips(domain, name):
    attack = Iprop(IpropSettings(backend=name))
    flips = found = 0
    for seed, question in questions(domain, 1)[:240]:
        true = true_maximum(question)
        outcome = attack.run([Task(question, seed)], InProcess())[0]
        check_common(question, outcome, true, f"seed {seed}")
        assert (outcome.bound, outcome.proof) == (None, Proof.NONE)
        assert outcome.status is Status.LOCAL_OPTIMUM
        assert outcome.verdict is not Verdict.ROBUST
        flips += is_flip(true, question.threat.tie)
        found += outcome.verdict is Verdict.VULNERABLE
    assert found > 0.8 * flips


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("domain", list(Domain))
def test_the_exact_engine_proves_the_true_optimum(domain, chunk, monkeypatch):
    monkeypatch.setattr("bnnray.exact.tree.MOST_COMPLETED", (0, 0, 2, 8)[chunk])
    open_ = 0
    asked = questions(domain, chunk)
    for seed, question in asked:
        true = true_maximum(question)
        outcome = Exact(ExactSettings()).run([Task(question, seed)], InProcess())[0]
        where = f"seed {seed} {outcome.status} {outcome.message}"
        check_common(question, outcome, true, where)
        if outcome.status is Status.ITERATION_LIMIT:
            open_ += 1
            assert domain is Domain.BOX, where
            continue
        assert outcome.status is Status.OPTIMAL, where
        assert outcome.incumbent.objective == outcome.bound == true, where
        assert outcome.proof is Proof.EXACT, where
    assert open_ <= len(asked) / 50


@pytest.mark.parametrize("completed", [0, 8])
@pytest.mark.parametrize("domain", list(Domain))
def test_the_exact_engine_finds_a_flip_or_proves_that_there_is_none(domain, completed, monkeypatch):
    monkeypatch.setattr("bnnray.exact.tree.MOST_COMPLETED", completed)
    for seed, question in questions(domain, 0, share=0.25):
        flips = is_flip(true_maximum(question), question.threat.tie)
        outcome = Exact(ExactSettings(stop="flip")).run([Task(question, seed)], InProcess())[0]
        if outcome.status is not Status.ITERATION_LIMIT:
            assert outcome.verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST), seed
