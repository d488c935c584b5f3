"""The true network against its smooth surrogate along one input dimension (Khalil et al. 2018,
figure 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bnnray.errors import DataError, RunFolderError
from bnnray.network import IntArray, Network
from bnnray.report.campaign import Campaign, as_sql
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.look import BLUE, COLUMN, VERMILLION, Palette, new_figure
from bnnray.report.originals import ASKED
from bnnray.threat import FloatArray, Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRIED = 9
"""Values of each pixel that are tried for the one whose curve has most steps."""

SQL = f"""
with chosen as (
    select scope, key from rows where model in {{model}}
    qualify row_number() over (partition by scope order by flipped desc, point, key) = 1
)
select c.scope, {ASKED} from results r join chosen c using (key) order by c.scope
"""


@dataclass(frozen=True)
class Surrogate:
    """An objective along one pixel, all others as in the clean image.

    Args:
        model, point, pixel: whose.
        target, attacked: the classes of the objective.
        clean: the pixel's value in the image.
        values: of the pixel, from 0 to 1.
        true: objective of the exact network.
        smooth: with max(-1, min(1, z)) in the place of each hidden sign, where z is what the unit
            compares with 0.
    """

    model: str
    point: int
    pixel: int
    target: int
    attacked: int
    clean: float
    values: tuple[float, ...]
    true: tuple[float, ...]
    smooth: tuple[float, ...]


def surrogate(campaign: Campaign) -> list[Page[Surrogate]]:
    """One page a scope, of the first model, and the first flipped point if there is one."""
    pages = []
    sql = SQL.format(model=as_sql(campaign.models[:1]))
    for row in campaign.tables.arrow(sql).to_pylist():
        try:
            question = campaign.originals.question(row)
        except (DataError, RunFolderError):
            continue
        if question.targets:
            numbers = along_pixel(question, row["model"], row["point"])
            pages.append(Page(campaign.scopes[row["scope"]].title, numbers))
    return pages


def along_pixel(question: Question, model: str, point: int) -> Surrogate:
    """The objective of a question's first target along the pixel that moves the network most.

    Args:
        question: network and image; its budget does not matter.
        model, point: their names, for the caption.
    """
    target, attacked = question.targets[0], question.attacked
    pixel = _liveliest(question, target, attacked)
    numerators = _line(question, pixel, np.arange(question.levels + 1))
    true = _true(question, numerators, target, attacked)
    scores = surrogate_scores(question.network, numerators / question.levels)
    return Surrogate(
        model=model,
        point=point,
        pixel=pixel,
        target=target,
        attacked=attacked,
        clean=float(question.pixels[pixel]) / question.levels,
        values=tuple((numerators[:, pixel] / question.levels).tolist()),
        true=tuple(true.tolist()),
        smooth=tuple((scores[:, target] - scores[:, attacked]).tolist()),
    )


def surrogate_scores(network: Network, inputs: FloatArray) -> FloatArray:
    """Scores (n, classes) with max(-1, min(1, z)) in the place of each hidden sign.

    Args:
        network: its units compare z = scale * a + shift with 0.
        inputs: (n, pixels) in [0, 1].
    """
    values = inputs
    for layer in network.hidden:
        sums = values @ layer.linear.matrix().T.astype(np.float64)
        values = np.clip(sums * layer.scale + layer.shift, -1.0, 1.0)
    output = network.output
    scores = values @ output.linear.matrix().T.astype(np.float64)
    if output.scale is None or output.shift is None:
        return scores
    return scores * output.scale + output.shift


def _liveliest(question: Question, target: int, attacked: int) -> int:
    """The pixel along which the objective changes most, up and down added; the first of equals."""
    values = np.unique(np.linspace(0, question.levels, TRIED).astype(np.int64))
    lines = [_line(question, pixel, values) for pixel in range(len(question.pixels))]
    found = _true(question, np.concatenate(lines), target, attacked)
    steps = np.abs(np.diff(found.reshape(len(lines), len(values)), axis=1)).sum(axis=1)
    return int(np.argmax(steps))


def _line(question: Question, pixel: int, values: IntArray) -> IntArray:
    """The image (values, pixels) with one pixel at each of these values."""
    images = np.repeat(question.pixels[None, :], len(values), axis=0)
    images[:, pixel] = values
    return images


def _true(question: Question, numerators: IntArray, target: int, attacked: int) -> FloatArray:
    scores = question.network.scores(numerators, question.levels)
    gap = scores[:, target] - scores[:, attacked]
    return np.array([int(g) / question.network.output.denominator for g in gap])


def draw(numbers: Surrogate, _palette: Palette) -> Figure:
    """Both objectives over the pixel's value, the clean one marked."""
    figure = new_figure(COLUMN, 2.0)
    axes = figure.subplots()
    axes.axvline(numbers.clean, color="#444444", linewidth=0.6, linestyle=":")
    axes.step(numbers.values, numbers.true, where="mid", color=BLUE, label="true network")
    axes.plot(numbers.values, numbers.smooth, color=VERMILLION, linestyle="--", label="surrogate")
    axes.set_xlabel(f"value of pixel {numbers.pixel}")
    axes.set_ylabel(f"score({numbers.target}) - score({numbers.attacked})")
    axes.set_title(f"{numbers.model}, point {numbers.point}")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


SURROGATE = FigureKind(
    name="surrogate",
    title="The true network and its surrogate",
    caption="The objective along one pixel, all others as in the image: of the true network, a "
    "step function, and with max(-1, min(1, z)) in the place of each sign, which gradient attacks "
    "climb on. The pixel is the one along which the true objective changes most; the dotted line "
    "is its value in the image. (Khalil et al. 2018, figure 1.)",
    pages=surrogate,
    draw=draw,
    needs="a network and images that are at hand (see --data-dir)",
)
