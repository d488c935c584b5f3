"""Proofs that the engine writes are accepted, and no text proves what is not true."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from oracle import true_maximum
from tiny import random_question

from bnnray.attacks import Exact, ExactSettings, Task
from bnnray.encodings import interval_ranges
from bnnray.errors import ProofError
from bnnray.proofs import check_proof
from bnnray.solvers import InProcess
from bnnray.threat import ANY, Domain, Goal, Question
from bnnray.verdicts import Status


def proof_of(question: Question, stop: str = "optimum") -> tuple[str, Fraction]:
    attack = Exact(ExactSettings(proof=True, stop=stop))
    outcome = attack.run([Task(question, 0)], InProcess())[0]
    return outcome.proof_text, outcome.bound


def questions(domain: Domain, seeds: range) -> list[Question]:
    made = [random_question(np.random.default_rng(s), domain) for s in seeds]
    return [q for q in made if q.targets]


def large_question(seed: int) -> Question:
    """Larger than what is enumerated elsewhere, so that trees have branches and clauses."""
    rng = np.random.default_rng(seed)
    question = random_question(rng, Domain.GRID, ANY)
    while question.network.pixels < 4 or question.levels < 3 or question.network.widths[0] < 5:
        question = random_question(rng, Domain.GRID, ANY)
    return replace(question, threat=replace(question.threat, epsilon=Fraction(1), goal=Goal(ANY)))


@pytest.fixture
def few_completed(monkeypatch):
    """Small questions would all end at the root else."""
    monkeypatch.setattr("bnnray.exact.tree.MOST_COMPLETED", 2)


@pytest.mark.parametrize("completed", [0, 2, 8])
@pytest.mark.parametrize("domain", list(Domain))
def test_the_engines_proofs_are_accepted(domain, completed, monkeypatch):
    monkeypatch.setattr("bnnray.exact.tree.MOST_COMPLETED", completed)
    written = 0
    for question in questions(domain, range(150)):
        for stop in ("optimum", "flip"):
            text, bound = proof_of(question, stop)
            if text:
                written += 1
                assert check_proof(question, text) == bound
    assert written > 150


@pytest.mark.usefixtures("few_completed")
@pytest.mark.parametrize("chunk", range(3))
def test_no_tampered_text_proves_what_is_false(chunk):
    rng = random.Random(chunk)
    accepted = refused = 0
    for seed in range(chunk * 15, chunk * 15 + 15):
        question = large_question(seed)
        true = true_maximum(question)
        text, _ = proof_of(question)
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


def tampered(rng: random.Random, text: str) -> str:
    lines = text.splitlines()
    place = rng.randrange(1, len(lines))
    other = rng.randrange(1, len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines[place], lines[other] = lines[other], lines[place]
    elif kind == 2:
        lines.insert(place, lines[other])
    elif kind == 3:
        lines[place] = lines[place].translate(str.maketrans("+-", "-+"))
    else:
        words = lines[place].split(" ")
        number = rng.randrange(len(words))
        words[number] = words[number].replace(str(rng.randrange(10)), str(rng.randrange(10)))
        lines[place] = " ".join(words)
    return "\n".join(lines)


@pytest.mark.usefixtures("few_completed")
def test_a_bound_one_step_lower_is_refused():
    refused = 0
    for seed in range(20):
        question = large_question(seed)
        text, bound = proof_of(question)
        step = min(o.step for o in question.objectives if o.step) / 2
        lower = text.replace(f"bound {bound}\n", f"bound {bound - step}\n", 1)
        with pytest.raises(ProofError):
            check_proof(question, lower)
        refused += 1
    assert refused == 20


@pytest.mark.usefixtures("few_completed")
def test_the_proof_of_another_question_is_refused():
    refused = 0
    for seed in range(20):
        question, other = large_question(seed), large_question(seed + 100)
        text, _ = proof_of(question)
        try:
            assert check_proof(other, text) >= true_maximum(other)
        except ProofError:
            refused += 1
    assert refused > 15


def unsettled(question: Question) -> int:
    """A first-layer unit that both signs are left to."""
    return int(np.flatnonzero(interval_ranges(question)[0].unstable)[0])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "first line"),
        ("bnnray proof 2\nbound 0\n", "first line"),
        ("bnnray proof 1\n", "ends too soon"),
        ("bnnray proof 1\nbound x\n", "expected the bound"),
        ("bnnray proof 1\nbound 0\n", "nothing is proven of the targets"),
        ("bnnray proof 1\nbound 0\ntarget 99\n", "expected one of the targets"),
        ("bnnray proof 1\nbound 0\nclause 1\n", "expected one of the targets"),
        ("bnnray proof 1\nbound 0\ntarget {t}\n", "ends too soon"),
        ("bnnray proof 1\nbound 0\ntarget {t}\nclause 1\n", "there are 0 clauses so far"),
        ("bnnray proof 1\nbound 0\ntarget {t}\ncertificate 0+*0\n", "positive multipliers"),
        ("bnnray proof 1\nbound 0\ntarget {t}\ncertificate 0-*7\n", "lacks a sign"),
        ("bnnray proof 1\nbound 0\ntarget {t}\nbranch 9999+\n", "units; got 9999"),
        ("bnnray proof 1\nbound 0\ntarget {t}\nbranch 0\n", "expected a unit and its sign"),
        ("bnnray proof 1\nbound 0\ntarget {t}\npixel 99 1\n", "only a pixel of the grid"),
        ("bnnray proof 1\nbound 0\ntarget {t}\npoint\n", "no sign is impossible"),
        ("bnnray proof 1\nbound 0\ntarget {t}\nnonsense\n", "no such line"),
        ("bnnray proof 1\nbound -9999\ntarget {t}\nbound\n", "is left; claimed are -9999"),
        ("bnnray proof 1\nbound -9999\ntarget {t}\neach {u}\n", "is left; claimed are -9999"),
        ("bnnray proof 1\nbound 0\ntarget {t}\neach {u} {u}\n", "units without a sign"),
        ("bnnray proof 1\nbound 0\ntarget {t}\nbranch {u}+\neach {u}\n", "without a sign"),
        ("bnnray proof 1\nbound 0\ntarget {t}\neach 9999\n", "units; got 9999"),
        ("bnnray proof 1\nbound 0\ntarget {t}\neach" + " 1" * 17, "expected 16 integers"),
    ],
)
def test_what_is_no_proof_is_refused_in_one_line(text, reason):
    question = large_question(0)
    with pytest.raises(ProofError, match=reason) as caught:
        check_proof(question, text.format(t=question.targets[0], u=unsettled(question)))
    assert "\n" not in str(caught.value)


def test_a_flip_leaves_no_proof():
    for question in questions(Domain.GRID, range(100)):
        attack = Exact(ExactSettings(proof=True, stop="flip"))
        outcome = attack.run([Task(question, 0)], InProcess())[0]
        if outcome.status is Status.FLIP_FOUND:
            assert outcome.proof_text == ""
            return
    raise AssertionError("no question has a flip")
