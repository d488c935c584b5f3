"""``bnnray train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnnray.cli.options import DataDir


def train(
    dataset: Annotated[str, typer.Argument(help="Name of the data set.")],
    hidden: Annotated[str, typer.Option(help="Units of each hidden layer.", metavar="100,100")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training split.")] = 15,
    batch_size: Annotated[int, typer.Option(min=2, help="Images a step.")] = 128,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of Adam's first step.", show_default="0.02")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Only images of these labels.", metavar="3,8")
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(help="Begin with a quantizer of this step.", metavar="0.1"),
    ] = None,
    rounding: Annotated[
        str, typer.Option(help="Of the quantizer: nearest (half to even) or floor.")
    ] = "nearest",
    affine: Annotated[bool, typer.Option("--affine", help="Affine scores.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and order.")] = 0,
    data_dir: DataDir = None,
) -> None:
    """Train a binarized network and write it as a model file.

    Example: bnnray train mnist --hidden 100,100 --epochs 15 -o 2x100.bnn
    """
    from bnnray.cli.progress import TrainingBar
    from bnnray.datasets import load_dataset
    from bnnray.files import check_writable
    from bnnray.models import Architecture, Training, save_model, train_model
    from bnnray.network import make_quantizer

    check_writable(output)
    architecture = Architecture(
        kind="mlp",
        hidden=_numbers(hidden, "--hidden must be widths such as 100,100"),
        output="affine" if affine else "plain",
        quantizer=None if quantize is None else make_quantizer(quantize, rounding),
    )
    training = Training(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=Training.learning_rate if learning_rate is None else learning_rate,
        seed=seed,
    )
    kept = None if classes is None else _numbers(classes, "--classes must be labels such as 3,8")
    with TrainingBar() as bar:
        model = train_model(
            architecture,
            training,
            load_dataset(dataset, "train", data_dir, kept),
            load_dataset(dataset, "test", data_dir, kept),
            on_epoch=lambda record: bar.update(output.stem, record),
        )
    save_model(model, output)
    typer.echo(f"{output}: test accuracy {100 * model.record['test_accuracy']:.2f} %")


def _numbers(text: str, expected: str) -> tuple[int, ...]:
    from bnnray.errors import UsageError

    try:
        return tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise UsageError(f"{expected}; got {text!r}") from None
