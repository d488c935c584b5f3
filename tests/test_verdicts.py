"""The verdict is a function of what was replayed and what was proven, and of nothing else."""

from fractions import Fraction

import pytest

from bnnray.errors import BugError
from bnnray.verdicts import Proof, Verdict, is_flip, judge, weakest

F = Fraction


@pytest.mark.parametrize(
    ("objective", "bound", "tie", "verdict"),
    [
        (F(1), None, "keep", Verdict.VULNERABLE),
        (F(1), F(5), "keep", Verdict.VULNERABLE),
        (F(0), None, "keep", Verdict.UNKNOWN),
        (F(0), None, "flip", Verdict.VULNERABLE),
        (F(0), F(0), "keep", Verdict.ROBUST),
        (F(-4), F(0), "keep", Verdict.ROBUST),
        (F(-4), F(0), "flip", Verdict.UNKNOWN),
        (F(-4), F(-2), "flip", Verdict.ROBUST),
        (F(-4), F(2), "keep", Verdict.UNKNOWN),
        (F(-4), None, "keep", Verdict.UNKNOWN),
        (None, None, "keep", Verdict.UNKNOWN),
        (None, F(-2), "keep", Verdict.ROBUST),
        (F(1, 10**30), F(1), "keep", Verdict.VULNERABLE),
        (F(-1), F(-1, 10**30), "flip", Verdict.ROBUST),
    ],
)
def test_truth_table(objective, bound, tie, verdict):
    assert judge(objective, bound, tie) is verdict


def test_a_flip_above_a_proven_bound_is_a_bug():
    with pytest.raises(BugError, match="above the proven bound"):
        judge(F(2), F(0), "keep")


def test_a_tie_is_a_flip_only_where_the_threat_says_so():
    assert is_flip(F(0), "flip")
    assert not is_flip(F(0), "keep")
    assert not is_flip(F(-1), "flip")


def test_a_conclusion_rests_on_its_weakest_proof():
    assert weakest([Proof.EXACT, Proof.SOLVER]) is Proof.SOLVER
    assert weakest([Proof.SOLVER, Proof.NONE]) is Proof.NONE
    assert weakest([]) is Proof.EXACT
