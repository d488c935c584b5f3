"""``bnnray version``."""

from __future__ import annotations

import json

import typer


def version() -> None:
    """Print the versions of bnnray and of the packages that can change an answer.

    Example: bnnray version
    """
    from bnnray.runtime.provenance import commit, versions

    for name, number in {**json.loads(versions()), "commit": commit()}.items():
        typer.echo(f"{name:10} {number or 'not installed'}")
