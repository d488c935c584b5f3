"""``bnnray verify``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnnray.cli.options import DataDir
from bnnray.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from bnnray.datasets import Dataset


class Complete(StrEnum):
    """Attacks that can prove."""

    CASCADE = "cascade"
    EXACT = "exact"
    MILP = "milp"
    SAT = "sat"


class Inputs(StrEnum):
    """Which inputs count."""

    GRID = "grid"
    BOX = "box"


class Attacked(StrEnum):
    """Which class is attacked."""

    PREDICTED = "predicted"
    LABEL = "label"


def verify(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    epsilon: Annotated[str, typer.Option(help="Largest change of a pixel.", metavar="8/255")],
    data: Annotated[str, typer.Option(help="Name of the data set.")] = "mnist",
    point: Annotated[int, typer.Option(help="Number of the image in the split.")] = 0,
    split: Annotated[str, typer.Option(help="train or test.")] = "test",
    attack: Annotated[Complete, typer.Option(help="Who answers.")] = Complete.CASCADE,
    domain: Annotated[Inputs, typer.Option(help="Real images, or any real numbers.")] = Inputs.GRID,
    goal: Annotated[str, typer.Option(help="any, runner-up or a class.")] = "any",
    against: Annotated[
        Attacked, typer.Option(help="The class that is attacked.")
    ] = Attacked.PREDICTED,
    time_limit: Annotated[str, typer.Option(help="Such as 30s or 5min.")] = "60s",
    png: Annotated[
        Path | None, typer.Option(help="Draw original, perturbed and difference here.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Ask whether one image can be flipped: vulnerable, robust (with its proof) or unknown.

    Example: bnnray verify 2x100.bnn --point 7 --epsilon 2/255 --png seven.png
    """
    from bnnray.api import verify as ask
    from bnnray.datasets import load_dataset
    from bnnray.files import check_writable, write_file
    from bnnray.report import picture_png

    if png is not None:
        check_writable(png)
    images = load_dataset(data, split, data_dir)
    _check_point(images, point)
    answer = ask(
        model,
        images.pixels(point),
        epsilon,
        kind=attack.value,
        label=int(images.labels[point]),
        domain=domain.value,
        goal=goal,
        against=against.value,
        levels=images.levels,
        time_limit=_seconds(time_limit),
    )
    if as_json:
        print_json(answer.as_json())
    else:
        typer.echo(answer.sentence)
    if png is not None and answer.picture is not None:
        drawn = picture_png([answer.picture])
        write_file(png, lambda file: file.write(drawn))


def _check_point(images: Dataset, point: int) -> None:
    from bnnray.errors import UsageError

    if not 0 <= point < len(images):
        raise UsageError(
            f"point: {images.name} {images.split} has points 0 to {len(images) - 1}; got {point}"
        )


def _seconds(text: str) -> float:
    from bnnray.attacks.settings import parse_seconds
    from bnnray.errors import UsageError

    try:
        seconds = float(parse_seconds(text))
    except ValueError:
        raise UsageError(f'--time-limit must be such as "30s" or "5min"; got {text!r}') from None
    if not 0 < seconds < float("inf"):
        raise UsageError(f"--time-limit must be more than 0; got {text!r}")
    return seconds
