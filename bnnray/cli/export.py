"""``bnnray export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, DataDir, RunName, RunsDir


def export(
    run: RunName,
    csv: Annotated[Path | None, typer.Option(help="Write the results as this CSV file.")] = None,
    npz: Annotated[
        Path | None, typer.Option(help="Write the perturbed inputs as this NumPy file.")
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
) -> None:
    """Write a run's results for other programs.

    The arrays of --npz have one entry a unit: perturbed and original, (units, pixels) from 0 to 1,
    and key, point, label, model, attack, epsilon, verdict, flipped, objective and others.

    Example: bnnray export quickstart --csv results.csv --npz inputs.npz
    """
    from bnnray.errors import UsageError
    from bnnray.files import check_writable
    from bnnray.report import export_csv, export_npz
    from bnnray.results import find_run

    folder = find_run(run, runs_dir)
    if csv is None and npz is None:
        raise UsageError("expected what to write: --csv FILE, --npz FILE, or both; got neither")
    for path in (csv, npz):
        if path is not None:
            check_writable(path)
    if csv is not None:
        typer.echo(f"{csv}: {export_csv(folder, csv)} rows")
    if npz is not None:
        typer.echo(f"{npz}: {export_npz(folder, npz, data_dir)} inputs")
