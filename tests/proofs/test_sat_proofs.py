"""No text proves what is false, and unit propagation finds what it should."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from oracle import true_maximum
from tiny import random_question

from bnnray.attacks import SatAttack, SatSettings, Task
from bnnray.errors import ProofError, ProofTimeout
from bnnray.proofs import check_proof
from bnnray.proofs.rup import Propagation
from bnnray.solvers import InProcess
from bnnray.threat import ANY, Domain, Goal, Question


def large_question(seed: int) -> Question:
    """With plain scores and some pixels, so that there is something to prove."""
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.GRID, ANY)
    while question.network.pixels < 4 or question.levels < 3 or question.network.output.is_affine:
        question = random_question(rng, Domain.GRID, ANY)
    return replace(question, threat=replace(question.threat, epsilon=Fraction(1), goal=Goal(ANY)))


def proof_of(question: Question, solver: str = "gluecard4") -> str:
    attack = SatAttack(SatSettings(proof=True, stop="optimum", solver=solver))
    return attack.run([Task(question, 0)], InProcess())[0].proof_text


def tampered(rng: random.Random, text: str) -> str:
    lines = text.splitlines()
    place, other = rng.randrange(1, len(lines)), rng.randrange(1, len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines[place], lines[other] = lines[other], lines[place]
    elif kind == 2:
        lines.insert(place, lines[other])
    else:
        words = lines[place].split(" ")
        number = rng.randrange(len(words))
        words[number] = words[number].replace(str(rng.randrange(10)), str(rng.randrange(10)))
        lines[place] = " ".join(words)
    return "\n".join(lines)


@pytest.mark.parametrize("solver", ["gluecard4", "cadical195"])
def test_no_tampered_text_proves_what_is_false(solver):
    rng = random.Random(solver)
    accepted = refused = 0
    for seed in range(25):
        question = large_question(seed)
        true, text = true_maximum(question), proof_of(question, solver)
        assert check_proof(question, text) == true
        for _ in range(40):
            try:
                proven = check_proof(question, tampered(rng, text))
            except ProofError:
                refused += 1
                continue
            accepted += 1
            assert proven >= true
    assert refused > 100
    assert accepted > 0


def test_a_bound_one_step_lower_and_another_question_are_refused():
    for seed in range(25):
        question, other = large_question(seed), large_question(seed + 100)
        text, true = proof_of(question), true_maximum(question)
        with pytest.raises(ProofError):
            check_proof(question, text.replace(f"bound {true}\n", f"bound {true - 1}\n", 1))
        with suppress(ProofError):
            assert check_proof(other, text) >= true_maximum(other)


def test_without_its_learned_clauses_a_proof_may_not_end():
    needed = 0
    for seed in range(40):
        question = large_question(seed)
        head = [line for line in proof_of(question).splitlines() if not line.endswith(" 0")]
        try:
            check_proof(question, "\n".join(line for line in head if line != "0"))
        except ProofError as error:
            needed += "without a contradiction" in str(error)
    assert needed > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bnnray sat proof 1\n", "expected the bound"),
        ("bnnray sat proof 1\nbound x\n", "expected the bound"),
        ("bnnray sat proof 1\nbound -99\n", "nothing is proven of the target"),
        ("bnnray sat proof 1\nbound -99\ntarget 77\n", "once at most"),
        ("bnnray sat proof 1\nbound -99\nnonsense\n", "no such line"),
        ("bnnray sat proof 1\nbound -99\ngroup 99+\n", "pixel 99 is none"),
        ("bnnray sat proof 1\nbound -99\ngroup 0+ 0+\n", "in two groups"),
        ("bnnray sat proof 1\nbound -99\ngroup x\n", "numbers with their signs"),
        ("bnnray sat proof 1\nbound -99\nunit 9 0\n", "no such unit"),
        ("bnnray sat proof 1\nbound -99\nunit 0 0\nunit 0 0\n", "a unit comes once"),
        ("bnnray sat proof 1\nbound -99\napart 1 2\n", "two literals of first-layer units"),
        ("bnnray sat proof 1\nbound -99\ncount 1\n", "a variable with a constraint"),
        ("bnnray sat proof 1\nbound -99\n1 2\nunit 0 0\n", "expected clauses only"),
    ],
)
def test_what_is_no_proof_is_refused_in_one_line(text, reason):
    with pytest.raises(ProofError, match=reason) as caught:
        check_proof(large_question(0), text)
    assert "\n" not in str(caught.value)


def test_a_check_that_takes_too_long_says_so():
    for seed in range(40):
        question = large_question(seed)
        text = proof_of(question)
        try:
            check_proof(question, text, seconds=-1.0)
        except ProofTimeout:
            return
    raise AssertionError("no proof has a clause")


def test_propagation_never_denies_a_solution_and_ends_at_one():
    """Random clauses and sums over five variables, against all assignments."""
    rng = random.Random(0)
    for _ in range(400):
        literals = [x for v in range(1, 6) for x in (v, -v)]
        clauses = [rng.sample(literals, rng.randint(1, 3)) for _ in range(rng.randint(0, 4))]
        sums = [
            (rng.choice([0, *literals]), chosen, rng.randint(-1, len(chosen) + 1))
            for chosen in (
                [
                    x
                    for v in rng.sample(range(1, 6), 3)
                    for x in [rng.choice((v, -v))] * rng.randint(1, 2)
                ]
                for _ in range(rng.randint(0, 3))
            )
        ]
        known = Propagation(5)
        known.add_sums(sums)
        for clause in clauses:
            known.add(clause)
        solutions = [
            values
            for values in product((-1, 1), repeat=5)
            if _satisfied([v * s for v, s in zip(range(1, 6), values, strict=True)], clauses, sums)
        ]
        assert not (solutions and known.contradiction)
        for values in product((-1, 1), repeat=5):
            point = [v * s for v, s in zip(range(1, 6), values, strict=True)]
            assert known.implies([-x for x in point]) == (values not in solutions)


def _satisfied(point: list[int], clauses, sums) -> bool:
    true = set(point)
    return all(true & set(c) for c in clauses) and all(
        (given and given not in true) or sum(x in true for x in chosen) >= least
        for given, chosen, least in sums
    )
