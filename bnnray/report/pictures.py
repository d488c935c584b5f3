"""Pictures of witnesses: original, perturbed, and the difference enlarged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bnnray.report.look import PAGE, new_figure, saved, styled
from bnnray.threat import FloatArray, Question, Witness, format_epsilon, replay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 3
"""Scores below a picture."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A witness to draw.

    Args:
        original, perturbed: float64 in [0, 1] of the image's shape, (height, width) or
            (height, width, 3).
        title: what it is an answer to.
        label: the true class.
        predicted, adversarial: the network's class of the two; equal where nothing flips.
        clean_scores, scores: the network's scores (classes,) of the two, as floats.
        epsilon: the budget as text.
    """

    original: FloatArray
    perturbed: FloatArray
    title: str
    label: int
    predicted: int
    adversarial: int
    clean_scores: FloatArray
    scores: FloatArray
    epsilon: str

    @property
    def change(self) -> FloatArray:
        """Perturbed minus original."""
        return self.perturbed - self.original

    @property
    def largest(self) -> float:
        """The largest change of a pixel, in units of the full range."""
        return float(np.abs(self.change).max(initial=0.0))

    @property
    def enlarged(self) -> FloatArray:
        """The change, scaled so that the largest is black or white; grey where nothing changed."""
        return 0.5 + 0.5 * self.change / (self.largest or 1.0)

    @property
    def changed(self) -> int:
        """How many inputs differ."""
        return int(np.count_nonzero(self.change))


def make_picture(question: Question, witness: Witness, title: str = "") -> Picture:
    """What there is to see of a witness; the scores are exact ones, replayed here.

    Args:
        question: what was asked; the network says what shape its images have.
        witness: (pixels,), int64 numerators on the grid or float64 on the box.
        title: above the picture.

    Raises:
        WitnessError: the witness is not in the question's region.
    """
    region, network = question.region, question.network
    shape = _image_shape(network.input_shape)
    scale = region.denominator if np.issubdtype(witness.dtype, np.integer) else 1
    replayed = replay(question, witness)
    over = network.output.denominator
    return Picture(
        original=region.float_clean.reshape(shape),
        perturbed=(witness.astype(np.float64) / scale).reshape(shape),
        title=title,
        label=question.label,
        predicted=question.predicted,
        adversarial=replayed.adversarial_class,
        clean_scores=np.array([int(s) / over for s in question.clean_scores]),
        scores=np.array([int(s) / over for s in replayed.scores]),
        epsilon=format_epsilon(question.threat.epsilon),
    )


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """As matplotlib shows images; what is no image becomes one row."""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3):
        return shape
    if len(shape) == 3 and shape[2] == 1:
        return shape[:2]
    side = round(float(np.prod(shape)) ** 0.5)
    return (side, side) if side * side == np.prod(shape) else (1, int(np.prod(shape)))


def draw_pictures(pictures: Sequence[Picture]) -> Figure:
    """Original, perturbed and difference of each, two of them in a row over a paper's width.

    Below: the label, the network's class, and its highest scores.

    Args:
        pictures: at least one.
    """
    columns = min(2, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = new_figure(PAGE * columns / 2, 1.72 * rows)
    parts = figure.subfigures(rows, columns, squeeze=False)
    for place, part in enumerate(parts.flat):
        if place < len(pictures):
            _draw(part, pictures[place])
    return figure


def picture_png(pictures: Sequence[Picture]) -> bytes:
    """The same as a PNG file."""
    with styled():
        return saved(draw_pictures(pictures), "png")


def _draw(part: Any, picture: Picture) -> None:
    left, middle, right = part.subplots(1, 3)
    part.suptitle(picture.title, fontsize="medium")
    clean = _text(f"label {picture.label}, seen as {picture.predicted}", picture.clean_scores)
    moved = _text(f"seen as {picture.adversarial}", picture.scores)
    _show(left, picture.original, "original", clean)
    _show(middle, picture.perturbed, f"epsilon = {picture.epsilon}", moved)
    times = f"difference x {0.5 / picture.largest:.0f}" if picture.largest else "no difference"
    _show(
        right,
        picture.enlarged,
        times,
        f"{picture.changed} inputs by\nat most {picture.largest:.4g}",
    )


def _show(axes: Axes, image: FloatArray, title: str, text: str) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=6.5, pad=2)
    axes.set_xlabel(text, fontsize=6, labelpad=2)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set(visible=True, color="#888888", linewidth=0.4)


def _text(what: str, scores: FloatArray) -> str:
    best = sorted(range(len(scores)), key=lambda c: (-scores[c], c))[:SHOWN]
    return f"{what}\n" + "  ".join(f"{c}: {scores[c]:.4g}" for c in best)
