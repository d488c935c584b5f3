"""The metrics of a run, in one place: every name with its kind, labels and meaning.

docs/metrics.md is this file in prose; a test keeps the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "ray_"
"""What Ray puts before every name."""

SECONDS = (
    *(0.01, 0.03, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0),
    *(35.0, 70.0, 130.0, 200.0, 330.0, 650.0, 1300.0, 2000.0, 3700.0),
)
"""Upper ends of the buckets of a unit's seconds, somewhat above the usual cutoffs."""


class MetricKind(StrEnum):
    """As Prometheus has them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """A metric: its name as Ray is told it, its kind, its labels, and what it says."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    meaning: str

    @property
    def scraped(self) -> str:
        """Its name as Prometheus sees it; of a histogram without _bucket, _count and _sum."""
        return f"{PREFIX}{self.name}"


UNITS = Metric(
    "bnnray_units_total",
    MetricKind.COUNTER,
    ("run", "attack", "verdict", "status", "host"),
    "units that ended, those that failed included",
)
FLIPS = Metric(
    "bnnray_flips_total",
    MetricKind.COUNTER,
    ("run", "attack", "host"),
    "units that ended with a replayed flip",
)
PROOFS = Metric(
    "bnnray_proofs_total",
    MetricKind.COUNTER,
    ("run", "attack", "proof", "host"),
    "units that ended with a proof: that there is no flip, or of the optimum; proof: exact, solver",
)
UNIT_SECONDS = Metric(
    "bnnray_unit_seconds",
    MetricKind.HISTOGRAM,
    ("run", "attack"),
    "wall time of a unit, 10 ms to an hour; Ray keeps the buckets only, so the sum is approximate",
)
WAITING = Metric(
    "bnnray_units_waiting",
    MetricKind.GAUGE,
    ("run",),
    "units left that no keeper has yet",
)
SLOTS = Metric(
    "bnnray_slots",
    MetricKind.GAUGE,
    ("run", "host", "pool"),
    "slots of the keepers that take shards; pool: slots, gpu (whose host is empty)",
)
SLOTS_BUSY = Metric(
    "bnnray_slots_busy",
    MetricKind.GAUGE,
    ("run", "host", "pool"),
    "those of them that have a shard",
)
KILLS = Metric(
    "bnnray_kills_total",
    MetricKind.COUNTER,
    ("run", "attack", "reason", "host"),
    "units that were killed; reason: killed (past the time limit), memory_limit",
)
RETRIES = Metric(
    "bnnray_retries_total",
    MetricKind.COUNTER,
    ("run", "lost"),
    "units put back to be tried again; lost: slot (its process died), keeper (with its node, too)",
)
LICENCE_WAITS = Metric(
    "bnnray_licence_waits_total",
    MetricKind.COUNTER,
    ("run",),
    "times that units were put back as no licence was free",
)
ROWS_WRITTEN = Metric(
    "bnnray_rows_written_total",
    MetricKind.COUNTER,
    ("run",),
    "rows of results that are on disk",
)
SINK_LAG = Metric(
    "bnnray_sink_lag_seconds",
    MetricKind.GAUGE,
    ("run",),
    "age of the oldest row that is not on disk; some seconds are usual, as rows go in batches",
)
BATCHES = Metric(
    "bnnray_batches_total",
    MetricKind.COUNTER,
    ("run", "attack", "pool"),
    "batches that attacks searched together; pool: slots, gpu",
)
BATCH_UNITS = Metric(
    "bnnray_batch_units_total",
    MetricKind.COUNTER,
    ("run", "attack", "pool"),
    "units in these batches: divided by their number, the mean size",
)

METRICS = (
    UNITS,
    FLIPS,
    PROOFS,
    UNIT_SECONDS,
    WAITING,
    SLOTS,
    SLOTS_BUSY,
    KILLS,
    RETRIES,
    LICENCE_WAITS,
    ROWS_WRITTEN,
    SINK_LAG,
    BATCHES,
    BATCH_UNITS,
)


def as_markdown() -> str:
    """The table as docs/metrics.md shows it."""
    lines = [
        "# The metrics of a run",
        "",
        "Made by `make docs`; a test keeps it equal to `bnnray/runtime/metrics.py`. A run on Ray",
        "exports these by the metrics agent of the driver's node, every 10 seconds",
        "(`RAY_metrics_report_interval_ms`), beside Ray's own; `--local` exports none. Names are",
        "as Prometheus sees them. A counter has a series from its first event on; Ray's agent",
        "adds up what it is sent, so where it is slow and is sent something again a counter gets",
        "too high: rows are what counts. Points and keys are no labels, as each would be a series",
        "of its own: `bnnray query` has them.",
        "[Watching a run](watching.md) says how to scrape and draw them.",
        "",
        "| metric | kind | labels | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.scraped}` | {metric.kind} | {labels} | {metric.meaning} |")
    lines += ["", f"The buckets of seconds end at {', '.join(f'{s:g}' for s in SECONDS)}."]
    return "\n".join(lines)
