"""What the documentation says is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from test_imports import ORDER, ROOT, imported, modules, part
from tiny import random_question

from bnnray import attacks
from bnnray.attacks import Attack, AttackSettings, Count, Search, Task
from bnnray.attacks.cascade import DEFAULT_STAGES
from bnnray.attacks.settings import Stop
from bnnray.job import load_job
from bnnray.models import import_arrays
from bnnray.results import schema
from bnnray.runtime import metrics
from bnnray.solvers import InProcess
from bnnray.threat import Domain
from bnnray.verdicts import Status

DOCS = ROOT.parent / "docs"


def code_blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def test_the_results_page_is_the_schema():
    assert (DOCS / "results.md").read_text() == schema.as_markdown() + "\n"


def test_the_metrics_page_is_the_table_in_code():
    assert (DOCS / "metrics.md").read_text() == metrics.as_markdown() + "\n"


def test_the_architecture_page_lists_the_parts_in_order():
    table = re.findall(r"^\| `(\w+)` \|", (DOCS / "architecture.md").read_text(), re.MULTILINE)
    assert table == ORDER


def test_the_architecture_picture_is_what_is_imported():
    edges = {
        (part(path), name.split(".")[1])
        for path in modules()
        if path != ROOT / "__init__.py"
        for name in imported(path)
        if name.startswith("bnnray.") and name.split(".")[1] != part(path)
    }
    (picture,) = code_blocks("architecture.md", "mermaid")
    drawn = set(re.findall(r"(\w+) --> (\w+)", picture))
    assert drawn == {e for e in edges if not _follows(e, edges - {e})}


def _follows(edge: tuple[str, str], edges: set[tuple[str, str]]) -> bool:
    reached, new = set(), {edge[0]}
    while new:
        reached |= new
        new = {b for a, b in edges if a in new} - reached
    return edge[1] in reached


def test_the_example_attack_runs():
    (code,) = code_blocks("adding_an_attack.md", "python")
    names = {
        "Attack": Attack,
        "AttackSettings": AttackSettings,
        "ClassVar": ClassVar,
        "Count": Count,
        "Literal": Literal,
        "Search": Search,
        "Status": Status,
        "Stop": Stop,
        "np": np,
    }
    exec(compile(code, "example", "exec", dont_inherit=True), names)
    jitter = names["Jitter"](names["JitterSettings"](tries=20))
    for domain in Domain:
        question = random_question(np.random.default_rng(4), domain, "any")
        outcome = jitter.run([Task(question, 1)], InProcess())[0]
        assert outcome.status in (Status.ITERATION_LIMIT, Status.FLIP_FOUND, Status.OPTIMAL)
        assert outcome.incumbent.objective >= question.clean_objective


def test_the_example_import_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = code_blocks("importing.md", "python")
    exec(code, {})
    assert import_arrays(Path("net.npz")).widths == (20,)


def job_of_the_contract(
    folder: Path, *, until: str, without: str = "\n\n\n", domain: str = "box"
) -> Path:
    text = (DOCS / "contract.md").read_text()
    block = text[text.index('    name = "khalil_small"') : text.index(until)]
    path = folder / "job.toml"
    lines = [line[4:] for line in block.splitlines() if line.startswith("    ")]
    kept = "\n".join(line for line in lines if not line.startswith(without))
    path.write_text(kept.replace('domain = "box" ', f'domain = "{domain}" '))
    return path


def test_the_attacks_of_the_contract_that_do_not_limit_pixels_are_valid(tmp_path):
    path = job_of_the_contract(tmp_path, until='With `domain = "grid"`', without="max_pixels")
    given = {place for place, _, origin in load_job(path).values() if origin == "job"}
    assert {"attack.exact.stop", "attack.exact.node_limit"} <= given


def test_the_attacks_of_the_contract_on_the_grid_are_valid(tmp_path):
    path = job_of_the_contract(
        tmp_path, until="The **content key**", without="max_pixels", domain="grid"
    )
    given = {place for place, _, origin in load_job(path).values() if origin == "job"}
    assert {"attack.sat.stop", "attack.sat.solver", "attack.sat.proof"} <= given


def test_the_job_file_of_the_contract_is_valid(tmp_path):
    loaded = load_job(job_of_the_contract(tmp_path, until="Where `max_pixels` is left out"))
    given = {place for place, _, origin in loaded.values() if origin == "job"}
    missing = {place for place, _, _ in loaded.values()} - given
    unsaid = {p for p in missing if "warm_start" not in p and ".stages." not in p}
    assert unsaid <= {"model.2x100.arch", "attack.milp.name", "attack.cascade.name"}


def test_the_default_stages_are_those_that_the_contract_and_the_readme_say():
    for page in (DOCS / "contract.md", DOCS.parent / "README.md"):
        blocks = re.findall(r"stages = \[.*?\n *\]", page.read_text(), re.DOTALL)
        assert list(DEFAULT_STAGES) in [tomllib.loads(block)["stages"] for block in blocks]


def test_every_attack_is_in_the_contract():
    text = (DOCS / "contract.md").read_text()
    for kind in attacks.ATTACKS:
        assert f'kind = "{kind}"' in text
