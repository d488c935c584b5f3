"""``bnnray version``."""

from __future__ import annotations

import json

import typer

from bnnray.cli.output import AsJson, print_json


def version(as_json: AsJson = False) -> None:
    """Print the versions of bnnray and of the packages that can change an answer.

    Example: bnnray version
    """
    from bnnray.runtime.provenance import commit, versions

    found = {**json.loads(versions()), "commit": commit()}
    if as_json:
        print_json(found)
        return
    for name, number in found.items():
        typer.echo(f"{name:10} {number or 'not installed'}")
