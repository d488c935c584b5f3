"""The tables of a run folder: every column with its type and meaning, in one place.

docs/results.md is this file in prose; a test keeps the two equal.

SCHEMA_VERSION is raised when what is there changes: a column's name, type or meaning, or what a
row stands for. A column that is added needs no raise: a newer bnnray reads older parts with nulls
there, and an older one leaves out parts with columns that it does not know, as it would drop them
when it moves rows.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Column:
    """A column: its name, its Arrow type, and what it holds."""

    name: str
    type: str
    meaning: str


RESULTS = (
    Column("key", "string", "content key of the unit"),
    Column("question", "string", "content key of the question: the unit without its attack"),
    Column("job", "string", "name of the job"),
    Column(
        "dataset", "string", "name of the data set; mnist[3,8] where a job keeps these classes only"
    ),
    Column("split", "string", "train or test"),
    Column("point", "int64", "number of the image in the split, from 0"),
    Column("label", "int64", "true class"),
    Column("correct", "bool", "whether the clean prediction is the label"),
    Column("model", "string", "name of the model in the job"),
    Column("model_digest", "string", "SHA-256 of the exact network"),
    Column("predicted", "int64", "class of the clean image"),
    Column("target", "int64", "class wanted; of goal any, the best at the incumbent"),
    Column("adversarial_class", "int64", "class of the incumbent"),
    Column("goal", "string", "runner-up, any, or the number of a class"),
    Column("against", "string", "whether the predicted class or the label is attacked"),
    Column("tie", "string", "whether an objective of 0 keeps the class or flips it"),
    Column("norm", "string", "linf"),
    Column("epsilon", "double", "budget per pixel, in units of the full pixel range"),
    Column("eps_num", "int64", "numerator of epsilon, exact"),
    Column("eps_den", "int64", "denominator of epsilon, exact"),
    Column("domain", "string", "box or grid"),
    Column("levels", "int64", "on the grid, pixels are k / levels; null on the box"),
    Column("mask_pixels", "int64", "how many pixels the mask lets change; null without a mask"),
    Column("max_pixels", "int64", "how many pixels may change at once; null for any number"),
    Column("attack", "string", "name of the attack in the job"),
    Column("kind", "string", "kind of the attack"),
    Column("backend", "string", "solver that ran; empty without one"),
    Column("settings", "string", "the attack's settings as resolved, JSON"),
    Column("seed", "int64", "of the unit's random choices, derived from its key"),
    Column("verdict", "string", "vulnerable, robust or unknown"),
    Column("proof", "string", "what a robust verdict or an optimum rests on: exact, solver, none"),
    Column("status", "string", "why the search stopped"),
    Column(
        "decided_by",
        "string",
        "the stage of a cascade in which the question was settled, else that gave the verdict; "
        "empty for other attacks, where it is unknown or the clean image's, and of killed searches",
    ),
    Column("replay", "string", "whether the exact network agrees with the claims"),
    Column("flipped", "bool", "whether the incumbent flips, replayed"),
    Column("objective", "double", "of the incumbent, replayed"),
    Column("objective_claimed", "double", "as the solver claimed it"),
    Column("objective_clean", "double", "of the clean image"),
    Column("objective_max", "double", "largest over all activations of the last hidden layer"),
    Column("normalized", "double", "objective / objective_max"),
    Column("bound", "double", "proven upper limit of the objective"),
    Column("minimize", "string", "norm of the smallest perturbation, if that was wanted"),
    Column("distance", "double", "of the incumbent in that norm, if it flips"),
    Column("distance_bound", "double", "proven lower limit of it; null where none flips"),
    Column("linf", "double", "largest change of a pixel, in units of the full range"),
    Column("l1", "double", "sum of the changes of all pixels, in the same units"),
    Column("l2", "double", "Euclidean length of the change, in the same units"),
    Column("l0", "int64", "how many pixels changed"),
    Column("n_unstable", "int64", "first-layer units that the budget can change"),
    Column("seconds", "double", "wall time of the unit; in a batch, from the batch's start"),
    Column("warm_start_seconds", "double", "wall time of the warm start, a part of seconds"),
    Column(
        "stage_seconds",
        "string",
        "wall time of each stage of a cascade that ran, by its name, JSON; empty for other attacks "
        "and of killed searches",
    ),
    Column("build_seconds", "double", "wall time of encoding"),
    Column("solve_seconds", "double", "wall time in the solver"),
    Column("cpu_seconds", "double", "CPU time of the slot and its child process"),
    Column("time_limit", "double", "cutoff of the unit in seconds"),
    Column("memory_limit_bytes", "int64", "cap of the slot's memory; null without one"),
    Column("threads", "int64", "cores that the solve could use"),
    Column("batch_size", "int64", "units searched together"),
    Column("peak_rss_bytes", "int64", "largest resident memory of the child process"),
    Column("iterations", "int64", "steps of the attack"),
    Column("nodes", "int64", "nodes of the solver's trees"),
    Column("variables", "int64", "of the largest program or formula that a solver got"),
    Column(
        "constraints", "int64", "its rows; of a formula, as the solver had it, clauses and more"
    ),
    Column("attempt", "int64", "1 for the first try"),
    Column("session", "int64", "which run of the job, from 1 on, as run.json lists them"),
    Column("host", "string", "machine that ran it"),
    Column("started_at", "timestamp", "in UTC, without a zone"),
    Column("finished_at", "timestamp", "in UTC, without a zone"),
    Column("message", "string", "what to know about an unusual end"),
    Column("versions", "string", "versions of bnnray, Python and the packages, JSON"),
    Column("schema_version", "int64", "version of this table"),
)

TRACE = (
    Column("key", "string", "content key of the unit"),
    Column("finished_at", "timestamp", "of the row that it belongs to"),
    Column("seconds", "double", "since the unit began"),
    Column("objective", "double", "of the incumbent then"),
    Column("bound", "double", "proven by then"),
    Column("iteration", "int64", "of the attack; during a warm start of that"),
    Column("distance", "double", "of the incumbent then, if the smallest was wanted and it flips"),
)

WITNESSES = (
    Column("key", "string", "content key of the unit"),
    Column("finished_at", "timestamp", "of the row that it belongs to"),
    Column("domain", "string", "box or grid"),
    Column("levels", "int64", "on the grid, pixels are k / levels"),
    Column("grid", "list<int32>", "the perturbed image on the grid, flat"),
    Column("box", "list<double>", "the perturbed image on the box, flat"),
)

SUBPROBLEMS = (
    Column("key", "string", "content key of the unit"),
    Column("finished_at", "timestamp", "of the row that it belongs to"),
    Column("iteration", "int64", "from 1 on"),
    Column("target", "int64", "the class that the iteration wanted"),
    Column("step", "int64", "S, how many non-ideal units were to be drawn"),
    Column("ideal", "int64", "|I*|, ideal units of the last hidden layer at the incumbent"),
    Column("drawn", "int64", "|G|, non-ideal units that were drawn"),
    Column("layer", "int64", "hidden layer that problem (9) was solved for; 0: problem (10)"),
    Column("targets", "int64", "units of the next layer with a wanted sign"),
    Column("held", "int64", "those that have it at the incumbent"),
    Column("reached", "int64", "those that have it by the subproblem's answer"),
    Column("turned", "int64", "signs of this layer that the answer turns; 0 for the input"),
    Column("status", "string", "why the solve ended; optimal also where nothing was to solve"),
    Column("seconds", "double", "wall time, building included"),
    Column("objective", "double", "of the iteration's input, replayed"),
    Column("improved", "bool", "whether that input became the incumbent"),
)

PROOFS = (
    Column("key", "string", "content key of the unit"),
    Column("finished_at", "timestamp", "of the row that it belongs to"),
    Column("text", "string", "the proof, see docs/proofs.md and docs/sat.md"),
)

UNITS = (
    Column("key", "string", "content key of the unit"),
    Column("question", "string", "content key of the question"),
    Column("family", "string", "of the question without its epsilon, domain and levels"),
    Column("model", "string", "name of the model"),
    Column("point", "int64", "number of the image in the split"),
    Column("epsilon", "double", "budget per pixel"),
    Column("attack", "string", "name of the attack"),
    Column("time_limit", "double", "cutoff in seconds"),
    Column("memory_limit_bytes", "int64", "cap of the slot's memory; null without one"),
)

ARCHIVED = (
    *RESULTS,
    Column("reason", "string", "why it does not count: obsolete, superseded or rerun"),
)

TABLES = {
    "results": RESULTS,
    "trace": TRACE,
    "witnesses": WITNESSES,
    "subproblems": SUBPROBLEMS,
    "proofs": PROOFS,
    "units": UNITS,
    "archived": ARCHIVED,
}

DETAILS = ("witnesses", "trace", "subproblems", "proofs")
"""The tables whose rows belong to a row of the results."""

PARTED = (*DETAILS, "results")
"""The tables that are written in parts, in this order: a row is seen after all that is its own."""


@functools.cache
def arrow_schema(table: str) -> Any:
    """The pyarrow schema of a table, with the schema's version in its metadata."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("us"),
        "list<int32>": pa.list_(pa.int32()),
        "list<double>": pa.list_(pa.float64()),
    }
    fields = [pa.field(c.name, types[c.type]) for c in TABLES[table]]
    return pa.schema(fields, metadata={"bnnray": f"{table} {SCHEMA_VERSION}"})


def as_markdown() -> str:
    """The tables as docs/results.md shows them."""
    lines = [
        "# The tables of a run folder",
        "",
        "Made by `make docs`; a test keeps it equal to `bnnray/results/schema.py`. This is schema",
        f"version {SCHEMA_VERSION}. A value that does not apply is null. Numbers that are exact in",
        "bnnray (objectives, bounds) are rounded to doubles here.",
    ]
    for table, columns in TABLES.items():
        lines += ["", f"## {table}", ""]
        if table == "archived":
            lines += ["The columns of `results`, and one more:", ""]
            columns = tuple(c for c in columns if c not in RESULTS)
        lines += ["| column | type | meaning |", "| --- | --- | --- |"]
        lines += [f"| `{c.name}` | {c.type} | {c.meaning} |" for c in columns]
    return "\n".join(lines)
