"""Pictures of ``bnnray status --watch``, as docs/watching.md shows them.

    python benchmarks/watch.py runs/khalil_small --width 80 -o watch-80.svg

Looks at a run once, and draws the page of a terminal of that width as SVG.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bnnray.cli.watch_page import watch_page
from bnnray.report import run_status
from bnnray.results import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--width", type=int, default=80)
    parser.add_argument("--height", type=int, default=24)
    parser.add_argument("-o", "--output", type=Path, required=True)
    asked = parser.parse_args()
    page = watch_page(run_status(RunFolder(asked.run)), "", asked.width, asked.height - 1)
    console = Console(record=True, width=asked.width, file=io.StringIO(), force_terminal=True)
    console.print(Text("\n").join(page))
    asked.output.write_text(console.export_svg(title=f"bnnray status {asked.run.name} --watch"))


if __name__ == "__main__":
    main()
