"""``bnnray check-proof``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, DataDir, RunName, RunsDir
from bnnray.cli.output import AsJson, print_json


def check_proof(
    run: RunName,
    keys: Annotated[
        list[str] | None, typer.Argument(help="Keys of units, or how they begin; all if none.")
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check the proofs of a run by a program that shares no code with the search that wrote them.

    Exit code 4 if one proves nothing. A proof is written where an attack has proof = true.

    Example: bnnray check-proof mine
    """
    from bnnray.runtime.proofs import check_proofs

    found = []
    for checked in check_proofs(run, Path(runs_dir), data_dir, keys or []):
        found.append(checked)
        if not as_json:
            typer.echo(str(checked))
    bad = sum(checked.fault is not None for checked in found)
    if as_json:
        print_json([checked.as_json() for checked in found])
    else:
        typer.echo(f"{len(found) - bad} proofs hold, {bad} do not")
    if bad:
        raise typer.Exit(4)
