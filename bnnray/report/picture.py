"""An image, what became of it, and the difference enlarged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bnnray.files import check_writable

Image = npt.NDArray[np.float64]


def draw_change(path: Path, clean: Image, perturbed: Image, captions: tuple[str, str]) -> None:
    """Writes a PNG of two images and their difference, whose largest change gets full colour.

    Args:
        clean, perturbed: values from 0 to 1, (rows, columns) or (rows, columns, 3).
        captions: of the two.

    Raises:
        StorageError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    check_writable(path)
    change = perturbed - clean
    largest = float(np.abs(change).max())
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    original, altered, difference = figure.subplots(1, 3)
    original.imshow(clean, cmap="gray", vmin=0, vmax=1)
    altered.imshow(perturbed, cmap="gray", vmin=0, vmax=1)
    enlarged = change / largest if largest else change
    if change.ndim == 3:
        difference.imshow((enlarged + 1) / 2)
    else:
        difference.imshow(enlarged, cmap="RdBu_r", vmin=-1, vmax=1)
    caption = f"difference: at most {largest * 255:.3g}/255" if largest else "no difference"
    for axes, text in zip((original, altered, difference), (*captions, caption), strict=True):
        axes.set_title(text, fontsize=10)
        axes.set_axis_off()
    figure.savefig(path, format="png", dpi=150)
