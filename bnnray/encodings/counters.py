"""Cardinality constraints as clauses: the literals are added up by full adders.

A counter of n literals has about n adders of 14 clauses (Een and Soerensson 2006, section 5.1).
Sequential counters and totalizers tell a solver more of partial sums, at n^2 clauses, which is too
many for rows of a thousand literals; when all literals are known an adder tells it everything, too,
which a cardinality constraint of a solver does not: that reads "if the output then ..." by
repeating the output, and never finds that the output must be false.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, product

import numpy as np

from bnnray.encodings.formula import FormulaBuilder, Literals, Threshold

Adder = tuple[int, ...]
"""Numbers of the two or three wires that an adder adds up."""


@dataclass(frozen=True)
class Circuit:
    """A counter of some inputs: wires are the inputs, then the sum and the carry of each adder.

    Args:
        adders: in their order.
        bits: the wires of the count, the lowest bit first.
    """

    adders: tuple[Adder, ...]
    bits: tuple[int, ...]


@functools.cache
def circuit(inputs: int) -> Circuit:
    """The counter of so many inputs: of wires of one weight the first three, or two, are added,
    their sum goes to the end, their carry to the end of those of twice the weight."""
    adders: list[Adder] = []
    bits: list[int] = []
    wires = list(range(inputs))
    while wires:
        carries: list[int] = []
        while len(wires) > 1:
            total = inputs + 2 * len(adders)
            adders.append(tuple(wires[:3]))
            wires = [*wires[3:], total]
            carries.append(total + 1)
        bits += wires
        wires = carries
    return Circuit(tuple(adders), tuple(bits))


def add_counters(out: FormulaBuilder, wanted: Callable[[Threshold], bool]) -> tuple[Threshold, ...]:
    """Turns cardinality constraints of a formula into clauses.

    Args:
        wanted: which of them.

    Returns:
        These, in the order of their new variables: the sum and the carry of each adder.
    """
    turned = sorted((t for t in out.thresholds if wanted(t)), key=_size)
    out.thresholds = [t for t in out.thresholds if not wanted(t)]
    for size, group in groupby(turned, key=_size):
        _count(out, list(group), circuit(size))
    return tuple(turned)


def _size(threshold: Threshold) -> int:
    return len(threshold.literals)


def _count(out: FormulaBuilder, thresholds: Sequence[Threshold], counter: Circuit) -> None:
    """Counters of equally many literals, side by side."""
    inputs = np.stack([t.literals for t in thresholds])
    shape = len(inputs), 2 * len(counter.adders)
    wires = np.concatenate([inputs, out.fresh(shape[0] * shape[1]).reshape(shape)], axis=1)
    for number, adder in enumerate(counter.adders):
        total = inputs.shape[1] + 2 * number
        _add(out, [wires[:, w] for w in adder], wires[:, total], wires[:, total + 1])
    for bits, threshold in zip(wires[:, counter.bits].tolist(), thresholds, strict=True):
        _compare(out, bits, threshold)


def _add(out: FormulaBuilder, inputs: Sequence[Literals], total: Literals, carry: Literals) -> None:
    """total + 2 carry is how many of two or three inputs are true, in each counter."""
    for signs in product((1, -1), repeat=len(inputs)):
        parity = 1 if signs.count(-1) % 2 else -1
        out.block(*(s * x for s, x in zip(signs, inputs, strict=True)), parity * total)
    for one, other in combinations(inputs, 2):
        out.block(-one, -other, carry)
    if len(inputs) == 2:
        for one in inputs:
            out.block(one, -carry)
    else:
        for one, other in combinations(inputs, 2):
            out.block(one, other, -carry)


def _compare(out: FormulaBuilder, bits: Sequence[int], threshold: Threshold) -> None:
    """The number in binary reaches ``least`` iff at no place where that has a 1 it has a 0 and no
    higher 1 where that has a 0."""
    least, output = threshold.least, threshold.output
    if threshold.on:
        unless = (-output,) if output else ()
        for place, bit in enumerate(bits):
            if least >> place & 1:
                higher = (b for i, b in enumerate(bits) if i > place and not least >> i & 1)
                out.clause(*unless, bit, *higher)
    if threshold.off:
        for place, bit in enumerate(bits):
            if not (least - 1) >> place & 1:
                higher = (-b for i, b in enumerate(bits) if i > place and (least - 1) >> i & 1)
                out.clause(output, -bit, *higher)
