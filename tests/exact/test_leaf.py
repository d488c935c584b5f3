"""Whether a cell holds a grid point: never a wrong answer, and always one on the grid."""

import numpy as np
import pytest
from test_certificates import NO_LATER, lattice, on_all_sides, random_rows, random_sides

from bnnray.exact.cell import Cell
from bnnray.exact.kernels import PARITIES, make_active, make_scratch, make_state
from bnnray.exact.leaf import Ending, Leaf


@pytest.mark.parametrize("chunk", range(2))
def test_every_cell_of_the_grid_is_decided(chunk):
    rng = np.random.default_rng(chunk)
    endings = {Ending.REACHED: 0, Ending.REFUTED: 0}
    for _ in range(600):
        rows = random_rows(rng)
        active, scratch, state = (
            random_sides(rng, rows),
            make_scratch(rows, NO_LATER),
            make_state(0),
        )
        point = np.zeros(len(rows.cap), dtype=np.float32)
        leaf = Leaf(Cell(rows, active, scratch, state), point, whole=True)
        ending = Ending.OPEN
        while ending is Ending.OPEN:
            ending = leaf.advance()
        entries = range(active.decided[0])
        found = on_all_sides(rows, active, lattice(rows), entries).any()
        assert ending is (Ending.REACHED if found else Ending.REFUTED)
        if ending is Ending.REACHED:
            assert on_all_sides(rows, active, scratch.lattice[None, :], entries).all()
        endings[ending] += 1
    assert min(endings.values()) > 100


def test_a_cell_with_real_inputs_and_no_grid_point_is_refuted_by_parity():
    """y1 + y2 = 3 and y1 = y2 hold at (1.5, 1.5) alone."""
    rng = np.random.default_rng(0)
    rows = random_rows(rng)
    weights = np.array([[1, 1], [1, 1], [1, -1], [1, -1]], dtype=np.int8)
    rows = rows._replace(
        weights=weights,
        floats=weights.astype(np.float32),
        cap=np.array([2, 2]),
        rhs=np.array([[-3, -3, 0, 0], [3, 3, 0, 0]]),
        strict=np.zeros((2, 4), dtype=np.int64),
        fires=np.array([3, 4, 0, 1]),
        reach=np.array([2, 2], dtype=np.float32),
        aims=np.array([[-3, -3, 0, 0], [3, 3, 0, 0]], dtype=np.float32),
        span=np.ones(4, dtype=np.float32),
        step=0.2,
    )
    active, scratch, state = make_active(4), make_scratch(rows, NO_LATER), make_state(0)
    active.decided[0], active.row[:], active.side[:] = 4, range(4), [1, 0, 1, 0]
    assert on_all_sides(rows, active, np.array([[1.5, 1.5]]), range(4)).all()
    leaf = Leaf(Cell(rows, active, scratch, state), np.zeros(2, dtype=np.float32), whole=True)
    ending = Ending.OPEN
    while ending is Ending.OPEN:
        ending = leaf.advance()
    assert ending is Ending.REFUTED
    assert leaf.support
    assert PARITIES in leaf.events


def test_the_box_is_never_refuted_wrongly():
    rng = np.random.default_rng(5)
    refuted = 0
    for _ in range(600):
        rows = random_rows(rng, strict=True)
        active, scratch, state = (
            random_sides(rng, rows),
            make_scratch(rows, NO_LATER),
            make_state(0),
        )
        leaf = Leaf(
            Cell(rows, active, scratch, state), np.zeros(len(rows.cap), np.float32), whole=False
        )
        ending = Ending.OPEN
        while ending is Ending.OPEN:
            ending = leaf.advance()
        if ending is Ending.REFUTED:
            refuted += 1
            entries = range(active.decided[0])
            assert not on_all_sides(rows, active, lattice(rows, 4), entries).any()
    assert refuted > 100
