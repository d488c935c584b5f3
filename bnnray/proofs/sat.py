"""The check of a SAT solver's proof; the formula is made anew from the question: docs/sat.md."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction

from bnnray.errors import ProofError, ProofTimeout
from bnnray.proofs.rup import Propagation
from bnnray.proofs.sat_formula import SatFormula
from bnnray.proofs.text import Line, read_bound
from bnnray.threat import Question

FIRST_LINE = "bnnray sat proof 1"


def check_sat_proof(question: Question, text: str, seconds: float) -> Fraction:
    """Checks that no input of a question has an objective above the bound that is claimed.

    Args:
        text: the proof, see docs/sat.md.
        seconds: that the check may take.

    Returns:
        The bound.

    Raises:
        ProofTimeout: the check takes longer.
        ProofError: which line proves nothing, and why.
    """
    tick = _clock(seconds)
    lines = _lines(text)
    bound = read_bound(_first(lines))
    formula = SatFormula(question, bound)
    learned = []
    for line in lines:
        tick()
        if line.word.lstrip("-").isdecimal():
            learned.append(line)
        elif learned:
            raise line.refuse("expected clauses only from here on")
        else:
            formula.declare(line)
    _refute(formula, learned, tick)
    return bound


def _clock(seconds: float) -> Callable[[], None]:
    deadline = time.monotonic() + seconds

    def tick() -> None:
        if time.monotonic() > deadline:
            raise ProofTimeout(f"the check takes longer than {seconds:.1f} s")

    return tick


def _refute(formula: SatFormula, learned: list[Line], tick: Callable[[], None]) -> None:
    known = Propagation(formula.variables, tick)
    known.add_sums(formula.sums)
    for clause in formula.clauses():
        known.add(clause)
    for line in learned:
        clause = _clause(line, formula.variables)
        if not known.implies(clause):
            raise line.refuse("the clause does not follow by unit propagation")
        known.add(clause)
        if known.contradiction:
            return
    if not known.contradiction:
        raise ProofError("it ends without a contradiction")


def _lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines()[1:], start=2):
        word, *rest = line.split() or [""]
        yield Line(number, word, tuple(rest))


def _first(lines: Iterator[Line]) -> Line:
    line = next(lines, None)
    if line is None or line.word != "bound":
        raise ProofError("expected the bound in the second line")
    return line


def _clause(line: Line, variables: int) -> list[int]:
    """The literals of a learned clause, which ends with 0."""
    words = [line.word, *line.rest]
    if words[-1] != "0" or not all(w.lstrip("-").isdecimal() for w in words):
        raise line.refuse("expected literals and a 0 at the end")
    literals = [int(w) for w in words[:-1]]
    if any(x == 0 or abs(x) > variables for x in literals):
        raise line.refuse(f"the variables are 1 to {variables}")
    return literals
