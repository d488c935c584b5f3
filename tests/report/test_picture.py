"""The picture of a perturbation, in grey and in colour."""

from __future__ import annotations

import numpy as np
import pytest

from bnnray.errors import StorageError
from bnnray.report.picture import draw_change


@pytest.mark.parametrize("shape", [(8, 8), (32, 32, 3)])
@pytest.mark.parametrize("change", [0.0, 0.25])
def test_it_is_a_png(tmp_path, shape, change):
    clean = np.full(shape, 0.5)
    draw_change(tmp_path / "x.png", clean, clean + change, ("original", "perturbed"))
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    clean = np.zeros((2, 2))
    with pytest.raises(StorageError, match="cannot write"):
        draw_change(tmp_path / "none" / "x.png", clean, clean, ("a", "b"))
