"""Proofs about cells that hold real inputs but no point of the grid, and about real networks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from oracle import true_maximum

from bnnray.attacks import Exact, ExactSettings, Task
from bnnray.datasets import load_dataset
from bnnray.errors import ProofError
from bnnray.models import load_model
from bnnray.network import Dense, Network, OutputLayer, SignLayer
from bnnray.proofs import check_proof
from bnnray.solvers import InProcess
from bnnray.threat import ANY, Against, Domain, Goal, Question, Threat, parse_epsilon

LEVELS = 3
EQUAL_AND_ODD = [([1, 1], 3), ([1, -1], 0)]
"""y1 + y2 = 3 and y1 = y2: the sums have different parities."""

ROUND_TRIP = [([1, -1, 0], 0), ([0, 1, 1], 3), ([1, 0, -1], 0)]
"""y1 = y2, y2 + y3 = 3, y1 = y3: no two rows have their zeros in the same places."""


def asking_for(equations: list[tuple[list[int], int]]) -> Question:
    """A network whose objective is largest where all equations hold: a unit fires from the right
    side on and is wanted to, another from one more on and is wanted not to."""
    weights = np.array([w for w, _ in equations for _ in range(2)], dtype=np.int8)
    shifts = np.array([-t - more for _, t in equations for more in (0, 1)], dtype=np.float32)
    scales = np.full(len(weights), LEVELS, dtype=np.float32)
    wanted = np.array([1, -1] * len(equations), dtype=np.int8)
    pixels = weights.shape[1]
    hidden = SignLayer(Dense(weights), scales, shifts)
    output = OutputLayer(Dense(np.stack([-wanted, wanted])))
    threat = Threat(Fraction(1), Domain.GRID, levels=LEVELS, goal=Goal("1"), against=Against.LABEL)
    start = np.zeros(pixels, dtype=np.int64)
    return Question(Network((pixels,), (hidden,), output), start, LEVELS, 0, threat)


@pytest.mark.parametrize(
    ("equations", "words"),
    [(EQUAL_AND_ODD, {"parities"}), (ROUND_TRIP, {"parity", "part"})],
)
def test_no_grid_point_is_proven_and_checked(equations, words):
    question = asking_for(equations)
    outcome = Exact(ExactSettings(proof=True)).run([Task(question, 0)], InProcess())[0]
    assert outcome.bound == true_maximum(question) < question.maximum
    lines = outcome.proof_text.splitlines()
    assert words <= {line.split(" ")[0] for line in lines}
    assert check_proof(question, outcome.proof_text) == outcome.bound
    swapped = outcome.proof_text.replace("even", "odd")
    with pytest.raises(ProofError):
        check_proof(question, swapped)


def test_proofs_of_real_networks_hold(real_data, networks):
    data = load_dataset("mnist", "test", real_data)
    words = set()
    for net, epsilon, points in (("2x100", "2/255", (0, 2)), ("5x100", "1/255", (4,))):
        network = load_model(networks / f"mnist_{net}.bnn").network
        threat = Threat(parse_epsilon(epsilon), Domain.GRID, goal=Goal(ANY))
        for point in points:
            question = Question(network, data.pixels(point), 255, int(data.labels[point]), threat)
            outcome = Exact(ExactSettings(proof=True)).run([Task(question, 0)], InProcess())[0]
            assert check_proof(question, outcome.proof_text) == outcome.bound
            words |= {line.split(" ")[0] for line in outcome.proof_text.splitlines()}
    assert {"branch", "bound", "certificate", "forced"} <= words


def test_a_clause_closes_a_node_that_has_all_of_its_signs_and_no_other():
    question = asking_for([([1], 2)])
    tree = "branch 0-\nbranch 1+\ncertificate 0-*1 1+*1\nbound\nbranch 0-\n{}\nbound\n"
    text = f"bnnray proof 1\nbound {question.maximum}\ntarget 1\n{tree}"
    assert check_proof(question, text.format("branch 1+\nclause 1\nbound")) == question.maximum
    with pytest.raises(ProofError, match="the node lacks a sign of the clause"):
        check_proof(question, text.format("clause 1"))
