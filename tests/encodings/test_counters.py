"""Cardinality constraints mean what they say: all assignments of few literals are tried."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from pysat.solvers import Solver

from bnnray.encodings.counters import add_counters, circuit
from bnnray.encodings.formula import FormulaBuilder
from bnnray.encodings.weighted import weighted_at_least
from bnnray.solvers.sat import at_most


class Asked:
    """A formula that can be asked about, assumption by assumption."""

    def __init__(self, out: FormulaBuilder) -> None:
        formula = out.build()
        self.impossible = formula.impossible
        self.solver = Solver(name="minicard")
        for clauses in formula.clauses:
            self.solver.append_formula(clauses.tolist())
        for threshold in formula.thresholds:
            for literals, most in at_most(threshold):
                self.solver.add_atmost(literals, most)

    def holds(self, assumptions: list[int]) -> bool:
        return not self.impossible and self.solver.solve(assumptions=assumptions)


@pytest.mark.parametrize("counted", [0, math.inf])
def test_a_threshold_is_its_output_and_nothing_else(counted):
    """Every number of literals, every number wanted, both directions, literals that repeat."""
    rng = np.random.default_rng(0)
    for size, least in product(range(1, 6), range(-1, 7)):
        for on, off in ((True, False), (False, True), (True, True)):
            out = FormulaBuilder()
            variables, output = out.fresh(size), int(out.fresh(1)[0])
            signs = rng.choice([-1, 1], size=size).astype(np.int32)
            literals = np.repeat(variables * signs, rng.integers(1, 3, size=size))
            out.threshold(literals, least, output, on=on, off=off)
            add_counters(out, lambda t: len(t.literals) <= counted)
            asked = Asked(out)
            for values in product((-1, 1), repeat=size):
                true = {int(v) * s for v, s in zip(variables, values, strict=True)}
                reached = sum(int(x) in true for x in literals) >= least
                assert asked.holds([*true, output]) == (reached or not on)
                assert asked.holds([*true, -output]) == (not reached or not off)


def test_an_adder_says_what_is_known_as_soon_as_all_is_known():
    """By unit propagation alone, which is what a solver's own constraint fails to do."""
    out = FormulaBuilder()
    variables, output = out.fresh(9), int(out.fresh(1)[0])
    out.threshold(variables, 4, output, on=True, off=True)
    add_counters(out, lambda _: True)
    with Solver(name="minicard") as solver:
        for clauses in out.build().clauses:
            solver.append_formula(clauses.tolist())
        for values in product((-1, 1), repeat=9):
            known = (variables * np.array(values)).tolist()
            consistent, implied = solver.propagate(assumptions=known)
            assert consistent
            assert (output if sum(v > 0 for v in values) >= 4 else -output) in implied


@pytest.mark.parametrize("inputs", [1, 2, 3, 7, 8, 100, 1000])
def test_a_counter_has_about_an_adder_an_input(inputs):
    assert len(circuit(inputs).adders) <= inputs + math.log2(inputs) + 1
    assert len(circuit(inputs).bits) == inputs.bit_length()


def test_weighted_sums_of_any_size_are_exact():
    rng = np.random.default_rng(1)
    for _ in range(150):
        size = int(rng.integers(1, 6))
        kinds = [int(w) for w in rng.choice([1, 2, 3, 7, 2**70 + 1, 10**25], size=size)]
        least = int(rng.integers(-2, 12)) * int(rng.choice(kinds)) // 3
        out = FormulaBuilder()
        literals, given = out.fresh(size).tolist(), int(out.fresh(1)[0])
        weighted_at_least(out, literals, kinds, least, given)
        asked = Asked(out)
        for values in product((-1, 1), repeat=size):
            total = sum(w for w, v in zip(kinds, values, strict=True) if v > 0)
            true = [x * v for x, v in zip(literals, values, strict=True)]
            assert asked.holds([*true, given]) == (total >= least)
            assert asked.holds([*true, -given])
