"""A run as its report sees it: one table of finished units, and what may be counted together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from bnnray.report.originals import Originals
from bnnray.report.scope import Scope
from bnnray.report.statistics import AttackStatistics, count_units
from bnnray.results import RunFolder, Tables
from bnnray.verdicts import Status

NOT_ASKED = f"status <> '{Status.SKIPPED}'"
"""Of a skipped unit the goal is the attacked class itself, so nothing was asked."""

ROWS = """
create temp table rows as
select row_number() over () as number, scope, key, question, model, model_digest, point, epsilon,
       attack, verdict, proof, status,
       coalesce(flipped, false) as flipped, coalesce(correct, false) as correct, r.tie,
       objective, bound, objective_max, normalized, minimize, seconds, time_limit
from results r join scopes s on {same}
where {asked}
"""

ORDER = """
select {column} from (select {column}, row_number() over () as place from units)
group by all order by min(place)
"""

ATTACKS = "select attack, any_value(kind), any_value(settings) from results group by all"


@dataclass(frozen=True)
class RunAttack:
    """An attack of the run's job.

    Args:
        name, kind: as the job says.
        settings: as resolved.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]

    @property
    def seeks_optimum(self) -> bool:
        """Whether it searches the largest objective to the end."""
        settings = self.settings
        return settings.get("stop", "optimum") == "optimum" and settings.get("minimize") is None


@dataclass(frozen=True)
class Campaign:
    """The finished units of a run in the table ``rows``, which figures and statistics ask.

    Args:
        run: the folder.
        tables: the run's, and ``rows``: one row for each unit that was not skipped, with the
            number of its scope.
        scopes: by those numbers.
        models, attacks: in the order of the job; those without a row are left out.
        statistics: what :func:`count_units` counts.
        data_dir: searched for the data set first.
    """

    run: RunFolder
    tables: Tables
    scopes: tuple[Scope, ...]
    models: tuple[str, ...]
    attacks: tuple[RunAttack, ...]
    statistics: tuple[AttackStatistics, ...]
    data_dir: Path | None = None

    @cached_property
    def originals(self) -> Originals:
        """The networks and images."""
        return Originals(self.run, self.data_dir)

    def optimizers(self) -> str:
        """The attacks that search the largest objective to the end, as a list of SQL."""
        return as_sql(a.name for a in self.attacks if a.seeks_optimum)


def open_campaign(run: RunFolder, tables: Tables, data_dir: Path | None = None) -> Campaign:
    """Reads a run's rows once.

    Args:
        run: the folder.
        tables: from :func:`bnnray.results.read`; ``rows`` and ``scopes`` are added.
        data_dir: searched for the data set before $BNNRAY_DATA.
    """
    columns = ", ".join(f.name for f in fields(Scope))
    run_scopes = f"select distinct {columns} from results where {NOT_ASKED} order by all"
    scopes = tuple(Scope(*row) for row in tables.fetch(run_scopes))
    tables.fetch(
        f"create temp table scopes as select row_number() over () - 1 as scope, * from "
        f"({run_scopes})"
    )
    same = " and ".join(f"r.{f.name} is not distinct from s.{f.name}" for f in fields(Scope))
    tables.fetch(ROWS.format(same=same, asked=NOT_ASKED))
    found = {name: RunAttack(name, kind, _read(text)) for name, kind, text in tables.fetch(ATTACKS)}
    attacks = [name for name in _listed(tables, "attack") if name in found]
    models = _listed(tables, "model")
    return Campaign(
        run=run,
        tables=tables,
        scopes=scopes,
        models=models,
        attacks=tuple(found[name] for name in attacks),
        statistics=count_units(tables, models, attacks),
        data_dir=data_dir,
    )


def _listed(tables: Tables, column: str) -> tuple[str, ...]:
    """The names in a column of the units, in the order of the job."""
    return tuple(row[0] for row in tables.fetch(ORDER.format(column=column)))


def as_sql(names: Iterable[str]) -> str:
    """Names as what SQL takes after ``in``; of none, a list that nothing is in."""
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"({quoted or 'null'})"


def _read(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
