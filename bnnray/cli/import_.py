"""``bnnray import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_(
    arrays: Annotated[Path, typer.Argument(help="The .npz file; see docs/importing.md.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    dataset: Annotated[str, typer.Option(help="Name of the data set that it is for.")] = "mnist",
) -> None:
    """Make a model file from plain arrays, as other tools' networks come.

    Example: bnnray import net.npz --dataset mnist -o net.bnn
    """
    from bnnray.files import check_writable
    from bnnray.models import import_model, save_model

    check_writable(output)
    model = import_model(arrays, dataset=dataset)
    save_model(model, output)
    widths = "x".join(str(w) for w in model.network.widths)
    typer.echo(f"{output}: {widths}, {model.network.classes} classes, digest {model.digest[:12]}")
