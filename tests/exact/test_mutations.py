"""The comparison with complete enumeration notices every prune that is broken on purpose.

Each mutant is a copy of the package with one line changed, run without compilation.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bnnray

ROOT, TESTS = Path(bnnray.__file__).parent, Path(__file__).parent.parent
QUESTIONS = 500

MUTANTS = {
    "the bound forgets the last unit of slack": (
        "exact/kernels/propagation.py",
        "against[j] > slack[j]",
        "against[j] >= slack[j]",
    ),
    "the bound lets units fire too soon": (
        "exact/kernels/propagation.py",
        "agree[j] >= need[j]",
        "agree[j] + 1 >= need[j]",
    ),
    "a node at one above the line is closed": (
        "exact/kernels/branch_and_bound.py",
        "if upper <= state.line:",
        "if upper <= state.line + 1:",
    ),
    "a certificate may be off by one": (
        "exact/kernels/certificates.py",
        "return least > most or",
        "return least >= most or",
    ),
    "a certificate sees a smaller box": (
        "exact/kernels/certificates.py",
        "total += g * (upper[j] if g > 0 else lower[j])",
        "total += g * (upper[j] - 1 if g > 0 else lower[j])",
    ),
    "shrinking a certificate drops what it needs": (
        "exact/kernels/certificates.py",
        "if contradicts(rest, most, strict - rows.strict[side, row]):",
        "if q == 0:",
    ),
    "a clause lacks a side": (
        "exact/kernels/clauses.py",
        "    for q in range(count):\n        k = support[q]",
        "    for q in range(count - 1):\n        k = support[q]",
    ),
    "a clause forces the side that it forbids": (
        "exact/kernels/clauses.py",
        "                still[w] |= turned_off\n                firing[w] |= turned_on",
        "                firing[w] |= turned_off\n                still[w] |= turned_on",
    ),
    "thresholds of the grid are one too low": (
        "exact/reduction.py",
        "np.stack([1 - above, above])",
        "np.stack([2 - above, above])",
    ),
    "the ellipsoid rules out what is farther than nothing": (
        "exact/kernels/ellipsoid.py",
        "to_still > 0 and to_still * to_still > farthest",
        "to_still > 0",
    ),
    "the ellipsoid counts multipliers twice": (
        "exact/kernels/ellipsoid.py",
        "left = whole - (gained << (bits + 1)) + curved",
        "left = whole - (gained << (bits + 2)) + curved",
    ),
    "flips cost as if rows were orthogonal, and more": (
        "exact/kernels/ellipsoid.py",
        "(far * far // ellipsoid.spread[row])",
        "(4 * far * far // ellipsoid.diagonal[row])",
    ),
    "the quadratic exceeds nothing": (
        "exact/kernels/quadratic.py",
        "value += proof.top[a] * (one * one + middle[a] * middle[a])",
        "value += 0",
    ),
    "the quadratic closes nodes at one above the line": (
        "exact/kernels/quadratic.py",
        "above = (missing + 1) << shift if",
        "above = (missing + 2) << shift if",
    ),
    "the quadratic fixes rows at half the distance": (
        "exact/kernels/quadratic.py",
        "if bound - abs(gain) >= above:",
        "if bound - 2 * abs(gain) >= above:",
    ),
    "units are lost with one bad row too few": (
        "exact/kernels/quadratic.py",
        "elif open_.least[j] <= left:",
        "elif open_.least[j] < left:",
    ),
    "a completion is left out": (
        "exact/kernels/completions.py",
        "range(1, count + 1)",
        "range(1, count)",
    ),
    "completions leave a row as it is": (
        "exact/kernels/completions.py",
        "min(lowest(np.uint64(number)), free - 1)",
        "max(lowest(np.uint64(number)) - 1, 0)",
    ),
    "completions at one above the line are no matter": (
        "exact/kernels/completions.py",
        "> state.line:",
        "> state.line + 1:",
    ),
    "a leaf in work does not count as open": (
        "exact/kernels/branch_and_bound.py",
        "stack.children[state.depth] = 0  # also of a leaf",
        "pass  # also of a leaf",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_prune_is_noticed(name, tmp_path):
    file, line, broken = MUTANTS[name]
    shutil.copytree(ROOT, tmp_path / "bnnray", ignore=shutil.ignore_patterns("__pycache__"))
    text = (tmp_path / "bnnray" / file).read_text()
    assert line in text, f"{file} has changed: choose another line to break"
    (tmp_path / "bnnray" / file).write_text(text.replace(line, broken))
    folders = [str(tmp_path), str(TESTS)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(folders),
        "NUMBA_DISABLE_JIT": "1",
    }
    done = subprocess.run(
        [sys.executable, TESTS / "exact" / "hunt.py", str(QUESTIONS)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr[-1000:]
    assert "Traceback" not in done.stderr, done.stderr[-1000:]
