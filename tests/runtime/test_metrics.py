"""The table of metrics, and the files that draw them."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import bnnray
from bnnray.runtime import metrics
from bnnray.runtime.metrics import METRICS, SECONDS, MetricKind

CLUSTER = Path(bnnray.__file__).parent / "shipped" / "cluster"
GRID_WIDTH = 24

DASHBOARD = json.loads((CLUSTER / "grafana.json").read_text())
PANELS = DASHBOARD["panels"]
QUERIES = [(p["title"], target["expr"]) for p in PANELS for target in p.get("targets", [])]


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_names_are_as_prometheus_wants_them(metric):
    assert re.fullmatch(r"bnnray_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
    assert metric.labels[0] == "run"
    assert not {"point", "key", "le"} & set(metric.labels)


def test_the_table_has_every_metric_once():
    here = [m for m in vars(metrics).values() if isinstance(m, metrics.Metric)]
    assert sorted(m.name for m in here) == sorted(m.name for m in METRICS)
    assert len({m.name for m in METRICS}) == len(METRICS)
    assert list(SECONDS) == sorted(SECONDS)


def test_the_dashboard_is_as_grafana_reads_it():
    assert DASHBOARD["schemaVersion"] >= 36
    assert {"uid", "title", "time", "refresh", "templating", "annotations"} <= DASHBOARD.keys()
    assert len({p["id"] for p in PANELS}) == len(PANELS)
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["run"]["query"]["query"] == "label_values(ray_bnnray_units_waiting, run)"
    for panel in PANELS:
        assert panel["type"] in ("row", "stat", "timeseries")
        asked = [panel, *panel["targets"]] if panel["type"] != "row" else []
        assert all(a["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for a in asked)


def test_no_panel_lies_on_another():
    taken = [cell for panel in PANELS for cell in cells(**panel["gridPos"])]
    assert len(taken) == len(set(taken))
    assert all(0 <= x < GRID_WIDTH for x, _ in taken)


def cells(x, y, w, h):
    return itertools.product(range(x, x + w), range(y, y + h))


def test_every_metric_is_drawn_with_labels_that_it_has():
    """Queries name no others: a name that is gone would show an empty panel."""
    known = {metric.scraped: metric for metric in METRICS}
    drawn = set()
    for _, query in QUERIES:
        names = [n.removesuffix("_bucket") for n in re.findall(r"ray_bnnray_\w+", query)]
        drawn |= set(names)
        labels = set(re.findall(r"(\w+)=~?\"", query))
        labels |= {
            label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")
        }
        for name in names:
            assert labels <= {*known[name].labels, "le"}
    assert drawn == set(known)


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: Debian's package prometheus")
@pytest.mark.parametrize("slurm", [False, True])
def test_the_scrape_configuration_is_valid(tmp_path, slurm):
    """Also with the lines for Slurm, which are comments."""
    text = (CLUSTER / "prometheus.yml").read_text()
    if slurm:
        text, lines = re.subn(r"^    # (?=http_sd|  )", "    ", text, flags=re.MULTILINE)
        assert lines == 3
    (tmp_path / "token").touch()
    path = tmp_path / "prometheus.yml"
    text = text.replace("/home/me/ray-token", str(tmp_path / "token"))
    path.write_text(text.replace("NODE:PORT", "node1:8265"))
    subprocess.run(["promtool", "check", "config", path], check=True, capture_output=True)
