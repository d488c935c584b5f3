"""Attacks on networks that begin with a quantizer, against the true maximum of tiny questions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
import torch
from quantized import quantized_questions, true_maximum_behind

from bnnray.attacks import (
    Cascade,
    CascadeSettings,
    Exact,
    ExactSettings,
    Found,
    Iprop,
    IpropSettings,
    Lns,
    LnsSettings,
    Milp,
    MilpSettings,
    Outcome,
    Pgd,
    PgdSettings,
    SatAttack,
    SatSettings,
    Task,
    flip_all,
)
from bnnray.attacks.pgd import SurrogateName
from bnnray.attacks.search import Nobody
from bnnray.datasets import load_dataset
from bnnray.encodings import interval_ranges
from bnnray.errors import UsageError
from bnnray.models import load_model
from bnnray.models.ascent import CLIMBERS, Point
from bnnray.models.ascent.draws import Draws
from bnnray.models.ascent.judge import Goals
from bnnray.proofs import check_proof
from bnnray.solvers import BACKENDS, SAT_SOLVERS, InProcess
from bnnray.threat import Domain, Question, Threat, Witness, parse_epsilon, replay
from bnnray.verdicts import Proof, Replay, Status, Verdict, is_flip


def searched_by(attack, question: Question, seed: int = 0) -> Outcome:
    return attack.run([Task(question, seed)], InProcess())[0]


def check_common(question: Question, outcome: Outcome, true: Fraction, where: str) -> None:
    """The incumbent is an input of the question, and no claim contradicts the truth."""
    assert outcome.incumbent is not None, f"{where}: {outcome.message}"
    witness = outcome.incumbent.witness
    on_grid = question.threat.domain is Domain.GRID
    assert np.issubdtype(witness.dtype, np.integer if on_grid else np.float64), where
    again = replay(question, witness)
    assert again.objective == outcome.incumbent.objective <= true, where
    assert again.changes == outcome.incumbent.replayed.changes, where
    assert outcome.bound is None or outcome.bound >= true, where
    flips = is_flip(true, question.threat.tie)
    assert outcome.verdict is not (Verdict.ROBUST if flips else Verdict.VULNERABLE), where
    assert outcome.trace[0].objective == question.clean_objective, where


def check_optimum(question: Question, outcome: Outcome, true: Fraction, where: str) -> None:
    check_common(question, outcome, true, where)
    assert (outcome.status, outcome.replay) == (Status.OPTIMAL, Replay.OK), where
    assert outcome.incumbent is not None
    assert outcome.incumbent.objective == true, where
    flips = is_flip(true, question.threat.tie)
    assert outcome.verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST), where


@pytest.mark.parametrize("domain", list(Domain))
def test_the_exact_engine_proves_the_true_optimum(domain):
    for seed, question in quantized_questions(domain, range(250)):
        true = true_maximum_behind(question)
        outcome = searched_by(Exact(ExactSettings()), question, seed)
        check_optimum(question, outcome, true, f"seed {seed} {outcome.message}")
        assert (outcome.bound, outcome.proof) == (true, Proof.EXACT), seed


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("name", sorted(BACKENDS))
@pytest.mark.parametrize("domain", list(Domain))
def test_milp_proves_the_true_optimum(domain, name, local):
    attack = Milp(MilpSettings(backend=name))
    for seed, question in quantized_questions(domain, range(400, 480), local=local):
        true = true_maximum_behind(question)
        outcome = searched_by(attack, question, seed)
        check_optimum(question, outcome, true, f"seed {seed} {outcome.message}")
        if not question.network.output.is_affine:
            assert outcome.bound == true, seed


@pytest.mark.parametrize("domain", list(Domain))
@pytest.mark.parametrize("attack", [Exact(ExactSettings(stop="flip")), Cascade(CascadeSettings())])
def test_flips_are_decided(attack, domain):
    for seed, question in quantized_questions(domain, range(500, 540)):
        flips = is_flip(true_maximum_behind(question), question.threat.tie)
        outcome = searched_by(attack, question, seed)
        assert outcome.verdict is (Verdict.VULNERABLE if flips else Verdict.ROBUST), seed


@pytest.mark.parametrize("solver", sorted(SAT_SOLVERS))
@pytest.mark.parametrize("domain", list(Domain))
def test_sat_decides_flips_for_one_network_and_for_several(domain, solver):
    settings = SatSettings(solver=solver)
    for seed, question in quantized_questions(domain, range(900, 940)):
        flips = is_flip(true_maximum_behind(question), question.threat.tie)
        wanted = Verdict.VULNERABLE if flips else Verdict.ROBUST
        assert searched_by(SatAttack(settings), question, seed).verdict is wanted, seed
        together = flip_all([question, question], settings)
        assert together.verdict is wanted, seed
        assert together.witness is None or replay(question, together.witness).flipped, seed


def test_networks_behind_different_quantizers_are_no_one_question():
    [(_, question)] = quantized_questions(Domain.BOX, range(900, 901))
    bare = replace(question, network=question.network.behind_quantizer)
    with pytest.raises(UsageError, match="same quantizer"):
        flip_all([question, bare])


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("surrogate", get_args(SurrogateName))
@pytest.mark.parametrize("domain", list(Domain))
def test_pgd_is_never_above_the_truth_and_finds_flips(domain, surrogate, local):
    attack = Pgd(PgdSettings(surrogate=surrogate, iterations=15, restarts=4))
    check_heuristic(attack, domain, range(600, 650), local=local)


@pytest.mark.parametrize("name", sorted(BACKENDS))
@pytest.mark.parametrize("domain", list(Domain))
def test_iprop_is_never_above_the_truth_and_finds_flips(domain, name):
    check_heuristic(Iprop(IpropSettings(backend=name)), domain, range(700, 760))


@pytest.mark.parametrize("domain", list(Domain))
def test_neighbourhoods_are_never_above_the_truth_and_find_flips(domain):
    check_heuristic(Lns(LnsSettings(warm_start=None)), domain, range(800, 830))


def check_heuristic(attack, domain: Domain, seeds: range, *, local: bool = False) -> None:
    flips = found = 0
    for seed, question in quantized_questions(domain, seeds, local=local):
        true = true_maximum_behind(question)
        outcome = searched_by(attack, question, seed)
        check_common(question, outcome, true, f"seed {seed}")
        assert outcome.message == ""
        assert (outcome.bound, outcome.proof) == (None, Proof.NONE)
        flips += is_flip(true, question.threat.tie)
        found += outcome.verdict is Verdict.VULNERABLE
    assert found > 0.8 * flips > 0


@pytest.mark.parametrize("surrogate", get_args(SurrogateName))
def test_gradients_are_those_at_the_levels_that_inputs_round_to(surrogate):
    moved = 0
    for _, question in quantized_questions(Domain.BOX, range(20)):
        searched = question.searched
        point, goals = (
            Point(searched, 0, interval_ranges(searched)),
            Goals([searched], "cpu"),
        )
        steps = searched.region.denominator
        x = torch.rand((1, 3, len(question.pixels)), generator=torch.Generator().manual_seed(0))
        found = []
        for inputs in (x, torch.round(x * steps) / steps):
            climber = CLIMBERS[surrogate]([point], 0.1, "cpu")
            climber.begin(Draws([0], 3, "cpu"))
            found.append(climber.step(inputs, 0.3, goals).gradient)
        torch.testing.assert_close(*found)
        moved += bool(found[0].abs().sum() > 0)
    assert moved > 0


@pytest.mark.parametrize("domain", list(Domain))
def test_proofs_are_accepted(domain):
    attack, written = Exact(ExactSettings(proof=True)), 0
    for seed, question in quantized_questions(domain, range(900, 980)):
        outcome = searched_by(attack, question, seed)
        assert outcome.proof_text, seed
        assert (
            check_proof(question, outcome.proof_text)
            == outcome.bound
            == true_maximum_behind(question)
        )
        written += 1
    assert written > 40


class Notes(Nobody):
    """Keeps the last witness that was told, as a keeper of slots does."""

    witness: Witness | None = None

    def found(self, witness: Witness) -> None:
        self.witness = witness


@pytest.mark.parametrize("domain", list(Domain))
def test_what_a_killed_search_had_found_counts(domain):
    attack, counted = Exact(ExactSettings()), 0
    for seed, question in quantized_questions(domain, range(1000, 1030)):
        notes = Notes()
        outcome = attack.run([Task(question, seed, notes)], InProcess())[0]
        found = Found(notes.witness, (outcome.bound, Proof.EXACT))
        again = attack.cut_off(Task(question, seed), found, Status.KILLED, 1.0)
        assert again.incumbent.objective == outcome.incumbent.objective
        assert again.incumbent.witness.tolist() == outcome.incumbent.witness.tolist()
        counted += notes.witness is not None
    assert counted > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"formulation": "paper"}, 'for real inputs only.*use formulation = "tight"'),
        ({"minimize": "linf"}, "minimize is not for a model that begins with a quantizer"),
    ],
)
def test_what_a_quantizer_rules_out_is_refused(settings, message):
    ((_, question), *_) = quantized_questions(Domain.BOX, range(5))
    with pytest.raises(UsageError, match=message):
        searched_by(Milp(MilpSettings(**settings)), question)
    stages = [{"kind": "pgd"}, {"kind": "milp", "formulation": "paper"}]
    with pytest.raises(UsageError, match="stage 'milp': formulation"):
        searched_by(Cascade(CascadeSettings(stages=stages)), question)


@pytest.mark.parametrize(
    ("domain", "epsilon"), [(Domain.BOX, "0.005"), (Domain.GRID, "2/255"), (Domain.BOX, "0.02")]
)
def test_on_real_points_unrelated_searches_prove_the_same(real_data, networks, domain, epsilon):
    data = load_dataset("mnist", "test", real_data)
    network = load_model(networks / "mnist_2x100_quantized.bnn").network
    for point in (0, 3, 8):
        threat = Threat(parse_epsilon(epsilon), domain)
        question = Question(network, data.pixels(point), 255, int(data.labels[point]), threat)
        outcomes = [
            searched_by(Exact(ExactSettings(proof=point == 0, time_limit=300.0)), question),
            searched_by(Milp(MilpSettings(backend="highs", time_limit=300.0)), question),
            searched_by(Milp(MilpSettings(backend="gurobi", time_limit=300.0)), question),
        ]
        for outcome in outcomes:
            assert outcome.status is Status.OPTIMAL, (point, outcome.message)
            assert outcome.bound == outcome.incumbent.objective, point
            check_common(question, outcome, outcome.bound, str(point))
        assert len({o.bound for o in outcomes}) == 1, point
        if outcomes[0].proof_text:
            assert check_proof(question, outcomes[0].proof_text) == outcomes[0].bound
        wider = replace(question, threat=replace(threat, epsilon=threat.epsilon * 2))
        pgd = searched_by(Pgd(PgdSettings(surrogate="reachable-tanh", restarts=2)), wider)
        assert replay(wider, pgd.incumbent.witness).linf <= float(wider.threat.epsilon)
