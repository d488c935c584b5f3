"""What a real run tells Ray: names of actors and tasks, metrics; and what Prometheus answers."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_run import JOB, Listener
from test_metrics import CLUSTER, QUERIES

from bnnray.job import load_job
from bnnray.results import Record, RunFolder, query
from bnnray.runtime import RunOptions, run_job
from bnnray.runtime.metrics import METRICS, SECONDS
from bnnray.runtime.monitor import Load, Standing
from bnnray.runtime.ray_metrics import RayMonitor
from bnnray.submit.ports import free_ports

INTERVAL_MS = "60000"
"""Ray exports so rarely that what is seen came with the last export, as the driver leaves."""

LABELS = {label for metric in METRICS for label in metric.labels} | {"le"}

Series = Mapping[str, Counter[frozenset[tuple[str, str]]]]
"""The values of a metric, by its labels."""


@dataclass(frozen=True)
class Watched:
    """A run that is over, on a cluster that is still there.

    Args:
        folder: of the run.
        notes: what a person was told.
        address: of the cluster.
        agent: the address at which its only node exports metrics. (Of the targets that Ray lists
            the autoscaler's is on a fixed port, which another cluster on this machine may hold.)
        targets: the file in which Ray lists what to scrape.
    """

    folder: RunFolder
    notes: list[str]
    address: str
    agent: str
    targets: Path

    @property
    def dashboard(self) -> str:
        (note,) = [note for note in self.notes if note.startswith("Ray's dashboard")]
        return note.removeprefix("Ray's dashboard is at ")


class NotingListener(Listener):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    """Ray is told of a GPU, so that there is a keeper on it, which computes on the CPU."""
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("watched")
    (folder / "job.toml").write_text(JOB)
    listener, port = NotingListener(), next(free_ports(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_metrics_report_interval_ms", INTERVAL_MS)
        cluster = Cluster()
        head = cluster.add_node(num_cpus=1, num_gpus=1, include_dashboard=True, dashboard_port=port)
        try:
            options = RunOptions(folder / "runs", address=cluster.address)
            result = run_job(load_job(folder / "job.toml").job, options, listener)
            targets = Path(head.get_session_dir_path()) / "prom_metrics_service_discovery.json"
            agent = f"{head.node_ip_address}:{head.metrics_export_port}"
            yield Watched(result.folder, listener.notes, cluster.address, agent, targets)
        finally:
            cluster.shutdown()


def test_actors_and_tasks_say_what_they_do(watched):
    from ray.util.state import list_actors, list_tasks

    actors = list_actors(address=watched.dashboard)
    assert {actor.name for actor in actors} == {
        "models", "sink", "keeper of a GPU", f"keeper of {platform.node()} (1 slot)",
    }  # fmt: skip
    assert {re.sub(r" \w{8}$", "", actor.ray_namespace) for actor in actors} == {"digits"}
    tasks = {task.name for task in list_tasks(address=watched.dashboard, limit=1000)}
    assert "train 20-12 on digits" in tasks
    assert {f"milp net point {p} eps {e}" for p in range(4) for e in ("0.0625", "0.125")} <= tasks
    assert {f"pgd net points 0-3 eps {e}" for e in ("0.0625", "0.125")} <= tasks


def test_metrics_are_those_of_the_rows(watched):
    """The last of them too: they come as the driver leaves."""
    found = scrape(watched)
    expected = counted(watched.folder, "attack, verdict, status, host")
    assert sum(expected.values()) == 16
    check_counter(found["ray_bnnray_units_total"], expected)
    flips = counted(watched.folder, "attack, host", "flipped")
    assert flips
    check_counter(found["ray_bnnray_flips_total"], flips)
    proofs = counted(watched.folder, "attack, proof, host", "proof <> 'none'")
    assert proofs
    check_counter(found["ray_bnnray_proofs_total"], proofs)
    check_counter(found["ray_bnnray_rows_written_total"], {labels(): 16})
    assert found["ray_bnnray_units_waiting"] == {labels(): 0}
    assert found["ray_bnnray_sink_lag_seconds"] == {labels(): 0}
    on_gpu = labels(attack="pgd", pool="gpu")
    check_counter(found["ray_bnnray_batches_total"], {on_gpu: 2})
    check_counter(found["ray_bnnray_batch_units_total"], {on_gpu: 8})


def test_the_buckets_of_seconds_are_those_of_the_rows(watched):
    found = scrape(watched)["ray_bnnray_unit_seconds_bucket"]
    for end in SECONDS:
        below = counted(watched.folder, "attack", f"seconds <= {end}")
        for attack in ("pgd", "milp"):
            count = below[labels(attack=attack)]
            assert count <= found[labels(attack=attack, le=str(end))] <= 2 * count


def test_every_metric_is_exported(watched, records):
    tell(watched, records, "told")
    found = scrape(watched, run="told")
    assert {m.scraped for m in METRICS} == {re.sub(r"_(bucket|count|sum)$", "", n) for n in found}
    told = {name: sum(values.values()) for name, values in found.items()}
    assert told["ray_bnnray_slots"] == 10
    assert told["ray_bnnray_slots_busy"] == 4
    assert told["ray_bnnray_units_waiting"] == 5
    assert told["ray_bnnray_sink_lag_seconds"] == 1.5
    retries = {labels("told", lost="slot"): 1, labels("told", lost="keeper"): 2}
    check_counter(found["ray_bnnray_licence_waits_total"], {labels("told"): 2})
    check_counter(found["ray_bnnray_retries_total"], retries)
    kills = {
        labels("told", attack="milp", reason="killed", host="h"): 1,
        labels("told", attack="milp", reason="memory_limit", host="h"): 1,
    }
    check_counter(found["ray_bnnray_kills_total"], kills)


def test_a_host_that_is_lost_has_no_slots(watched):
    with monitor_of(watched, "lost") as monitor:
        monitor.stands(Standing(1, [Load("a", "slots", 2, 3), Load("b", "slots", 4, 1)], 0, 0))
        monitor.stands(Standing(1, [Load("a", "slots", 2, 0)], 0, 0))
    found = scrape(watched, run="lost")
    slots = {host: labels("lost", host=host, pool="slots") for host in "ab"}
    assert found["ray_bnnray_slots"] == {slots["a"]: 2, slots["b"]: 0}
    assert found["ray_bnnray_slots_busy"] == {slots["a"]: 0, slots["b"]: 0}


def test_an_export_that_fails_disturbs_nothing(watched, records, monkeypatch):
    from ray.util.metrics import Counter as RayCounter

    def fail(*_arguments: object) -> None:
        raise OSError("no agent")

    monkeypatch.setattr(RayCounter, "inc", fail)
    with monitor_of(watched, "failing") as monitor:
        monitor.finished(records)
        monitor.stands(Standing(5, [], 1, 0.0))
    assert set(scrape(watched, run="failing")) >= {"ray_bnnray_units_waiting"}


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no Prometheus: Debian's package")
def test_every_query_of_the_dashboard_has_an_answer(watched, records, tmp_path):
    """From a real Prometheus with the configuration that comes along."""
    tell(watched, records, "drawn")
    with prometheus(watched, tmp_path) as ask:
        wait_for(lambda: ask('min(count_over_time(ray_bnnray_slots{run="drawn"}[1m])) >= 3'))
        for title, text in QUERIES:
            expression = text.replace("$__rate_interval", "1m").replace("$run", "digits|drawn")
            assert ask(expression), f"{title}: {expression}"
        (flips,) = ask('sum(ray_bnnray_flips_total{run="digits", attack="milp"})')
        count = counted(watched.folder, "attack", "flipped")[labels(attack="milp")]
        assert count <= float(flips["value"][1]) <= 2 * count


@pytest.fixture
def records() -> list[Record]:
    """Of units that came to a bad end."""
    row = {"attack": "milp", "host": "h", "verdict": "vulnerable", "seconds": 0.5, "flipped": True}
    rows = [{**row, "proof": "exact", "status": s} for s in ("crashed", "killed", "memory_limit")]
    return [Record(row) for row in rows]


def tell(watched: Watched, records, run: str) -> None:
    """Says what happens in no undisturbed run."""
    with monitor_of(watched, run) as monitor:
        monitor.finished(records)
        monitor.searched("pgd", "gpu", 16)
        monitor.retried(1, "slot")
        monitor.retried(2, "keeper")
        loads = [Load("a", "slots", 8, 3), Load("b", "slots", 1, 0), Load("", "gpu", 1, 2)]
        monitor.stands(Standing(5, loads, 7, 1.5, licence_waits=2))


@contextmanager
def monitor_of(watched: Watched, run: str) -> Iterator[RayMonitor]:
    """A monitor on the cluster, as of a driver that then leaves."""
    import ray

    ray.init(address=watched.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield RayMonitor(run)
    finally:
        ray.shutdown()


def labels(run: str = "digits", **others: str) -> frozenset[tuple[str, str]]:
    return frozenset({"run": run, **others}.items())


def check_counter(found: Mapping[Any, float], expected: Mapping[Any, int]) -> None:
    """Ray's agent adds up what it is sent: what is sent again, as the agent was slow to answer,
    counts twice."""
    assert found.keys() == expected.keys()
    assert all(count <= found[series] <= 2 * count for series, count in expected.items())


def counted(folder: RunFolder, columns: str, where: str = "true") -> Counter[Any]:
    """How many rows there are, by the labels that their columns are."""
    names = columns.split(", ")
    text = f"select {columns}, count(*) from results where {where} group by all"
    return Counter(
        {labels(**dict(zip(names, row, strict=False))): row[-1] for row in query(folder, text).rows}
    )


def scrape(watched: Watched, run: str = "digits") -> Series:
    """What the node exports about a run."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, Counter[frozenset[tuple[str, str]]]] = {}
    for family in text_string_to_metric_families(fetch(f"http://{watched.agent}/metrics")):
        for sample in family.samples:
            own = {name: value for name, value in sample.labels.items() if name in LABELS}
            if "bnnray" in sample.name and own["run"] == run:
                series = found.setdefault(sample.name, Counter())
                series[frozenset(own.items())] += sample.value
    return found


@contextmanager
def prometheus(watched: Watched, folder: Path) -> Iterator[Callable[[str], list[Any]]]:
    """A Prometheus that scrapes the cluster every second; yields what asks it."""
    text = (CLUSTER / "prometheus.yml").read_text()
    text = text.replace("/tmp/ray/prom_metrics_service_discovery.json", str(watched.targets))
    (folder / "prometheus.yml").write_text(
        re.sub("scrape_interval: 10s", "scrape_interval: 1s", text)
    )
    address = f"127.0.0.1:{next(free_ports(0))}"
    command = ["prometheus", "--config.file=prometheus.yml", f"--web.listen-address={address}"]

    def ask(expression: str) -> list[Any]:
        asked = urllib.parse.urlencode({"query": expression})
        answer = json.loads(fetch(f"http://{address}/api/v1/query?{asked}"))
        assert answer["status"] == "success"
        return answer["data"]["result"]

    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(lambda: "Server is ready" in (folder / "log").read_text())
        yield ask
    finally:
        server.terminate()
        server.wait()


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
