"""The monitor on Ray: it counts in the driver, and Ray exports to whoever scrapes its nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from bnnray.results import Record
from bnnray.runtime import metrics
from bnnray.runtime.metrics import METRICS, Metric, MetricKind
from bnnray.runtime.monitor import Load, Standing
from bnnray.verdicts import Proof, Status

KILLS = frozenset({Status.KILLED, Status.MEMORY_LIMIT})


class RayMonitor:
    """Exports the metrics of a run.

    Args:
        run: name of the job, a label of each.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._instruments: dict[Metric, Any] = {}
        self._seen: set[tuple[str, str]] = set()
        self._last = Counter[Metric]()
        with suppress(Exception):
            self._instruments = {metric: _instrument(metric) for metric in METRICS}

    def finished(self, records: Sequence[Record]) -> None:
        for record in records:
            self._finished(record.row)

    def searched(self, attack: str, pool: str, units: int) -> None:
        self._add(metrics.BATCHES, 1, attack=attack, pool=pool)
        self._add(metrics.BATCH_UNITS, units, attack=attack, pool=pool)

    def retried(self, units: int, lost: str) -> None:
        self._add(metrics.RETRIES, units, lost=lost)

    def stands(self, standing: Standing) -> None:
        self._tell(metrics.WAITING, standing.waiting)
        self._tell(metrics.SINK_LAG, standing.lag)
        self._reach(metrics.ROWS_WRITTEN, standing.written)
        self._reach(metrics.LICENCE_WAITS, standing.licence_waits)
        self._tell_slots(standing.loads)

    def _finished(self, row: Mapping[str, Any]) -> None:
        attack, host = row["attack"], row["host"]
        verdict, status = row["verdict"], row["status"]
        self._add(metrics.UNITS, 1, attack=attack, verdict=verdict, status=status, host=host)
        self._tell(metrics.UNIT_SECONDS, row["seconds"], attack=attack)
        if row["flipped"]:
            self._add(metrics.FLIPS, 1, attack=attack, host=host)
        if row["proof"] != Proof.NONE:
            self._add(metrics.PROOFS, 1, attack=attack, proof=row["proof"], host=host)
        if status in KILLS:
            self._add(metrics.KILLS, 1, attack=attack, reason=status, host=host)

    def _tell_slots(self, loads: Sequence[Load]) -> None:
        """Of a host without a keeper now it says 0, as Ray would go on with what was said last."""
        slots, busy = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for load in loads:
            slots[load.host, load.pool] += load.slots
            busy[load.host, load.pool] += min(load.shards, load.slots)
        self._seen |= slots.keys()
        for host, pool in self._seen:
            self._tell(metrics.SLOTS, slots[host, pool], host=host, pool=pool)
            self._tell(metrics.SLOTS_BUSY, busy[host, pool], host=host, pool=pool)

    def _reach(self, metric: Metric, total: int) -> None:
        """Lets a counter reach a total."""
        self._add(metric, total - self._last[metric])
        self._last[metric] = total

    def _add(self, metric: Metric, value: int, **labels: str) -> None:
        if value > 0:
            self._tell(metric, value, **labels)

    def _tell(self, metric: Metric, value: float, **labels: str) -> None:
        """Whatever is wrong with an export is no reason to disturb a run."""
        with suppress(Exception):
            self._instruments[metric](value, {"run": self._run, **labels})


def _instrument(metric: Metric) -> Any:
    """What takes a value and the labels' values."""
    from ray.util.metrics import Counter, Gauge, Histogram

    match metric.kind:
        case MetricKind.COUNTER:
            return Counter(metric.name, metric.meaning, metric.labels).inc
        case MetricKind.GAUGE:
            return Gauge(metric.name, metric.meaning, metric.labels).set
        case MetricKind.HISTOGRAM:
            boundaries = list(metrics.SECONDS)
            return Histogram(metric.name, metric.meaning, boundaries, metric.labels).observe
