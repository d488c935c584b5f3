"""Imports go one way, and heavy packages are imported in one place and only when used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bnnray

ROOT = Path(bnnray.__file__).parent

ORDER = [
    "errors",
    "files",
    "logs",
    "processes",
    "verdicts",
    "network",
    "threat",
    "datasets",
    "models",
    "proofs",
    "encodings",
    "exact",
    "solvers",
    "attacks",
    "results",
    "report",
    "job",
    "runtime",
    "submit",
    "api",
    "doctor",
    "cli",
]
"""A part may import the parts before it; see docs/architecture.md."""

HOMES = {
    "torch": "models",
    "safetensors": "models/storage.py",
    "ray": ("runtime/ray_cluster.py", "runtime/ray_metrics.py"),
    "gurobipy": "solvers/gurobi.py",
    "highspy": "solvers/highs.py",
    "pysat": "solvers/sat.py",
    "scipy": "encodings",
    "pyarrow": "results",
    "duckdb": ("results/query.py", "results/reading.py"),
    "sklearn": "datasets/digits.py",
    "numba": "exact/kernels",
    "platformdirs": ("datasets", "exact/kernels/compile.py", "submit/sites.py"),
    "pydantic": ("attacks", "job", "submit/sites.py"),
    "matplotlib": "report",
    "polars": "api",
    "jinja2": "report/html.py",
    "threadpoolctl": "runtime/slot_process.py",
    "tomli_w": ("runtime/run.py", "submit/submit.py"),
    "typer": "cli",
    "rich": "cli",
    "packaging": "doctor/packages.py",
}
"""Where each package may be imported."""


def modules() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path):
    if path == ROOT / "__init__.py":
        return
    here = ORDER.index(part(path))
    for name in imported(path):
        if name.startswith("bnnray."):
            there = name.split(".")[1]
            assert ORDER.index(there) <= here, f"{part(path)} imports {there}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_packages_are_imported_at_home(path):
    here = path.relative_to(ROOT).as_posix()
    for name in imported(path):
        homes = HOMES.get(name.split(".")[0], "")
        allowed = (homes,) if isinstance(homes, str) else homes
        assert here.startswith(allowed), f"{here} imports {name}; its home is {homes}"


def test_every_part_is_in_the_order():
    found = {part(p) for p in modules()} - {"__init__"}
    assert found == set(ORDER)


def test_the_command_line_and_the_package_load_nothing_heavy():
    heavy = [
        "torch",
        "ray",
        "gurobipy",
        "highspy",
        "pyarrow",
        "duckdb",
        "numpy",
        "numba",
        "pydantic",
        "matplotlib",
        "pandas",
    ]
    code = f"import sys, bnnray, bnnray.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["models", "exact", "attacks", "job", "solvers", "results"])
def test_packages_do_not_load_torch_ray_or_solvers(name):
    heavy = ["torch", "ray", "gurobipy", "highspy", "pysat", "numba"]
    code = f"import sys, bnnray.{name}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [n for n in ORDER if (ROOT / n / "__init__.py").exists()])
def test_public_names_can_be_imported(name):
    package = __import__(f"bnnray.{name}", fromlist=["*"])
    public = getattr(package, "__all__", [])
    assert public == sorted(public, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    for exported in public:
        assert getattr(package, exported) is not None
