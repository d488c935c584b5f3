"""The proofs of a run, each checked against the question of its unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bnnray.datasets import Dataset, load_dataset
from bnnray.errors import ProofError, RunFolderError, UsageError
from bnnray.job import Job, Unit, load_job, make_units
from bnnray.models import Model
from bnnray.network import Network
from bnnray.proofs import check_proof
from bnnray.results import find_run, query
from bnnray.results.folder import RunFolder
from bnnray.runtime.cluster import TrainRequest
from bnnray.runtime.networks import read_models, trained_models, training_splits
from bnnray.threat import Question, format_epsilon
from bnnray.verdicts import Proof, Verdict, is_flip

PROVEN = """
select key, text, results.bound, verdict, proof
from proofs join results using (key)
order by model, eps_num / eps_den, point, attack
"""


@dataclass(frozen=True)
class Checked:
    """What came of one proof; ``fault`` is None where it holds."""

    unit: Unit
    bound: float
    fault: str | None

    def __str__(self) -> str:
        unit = self.unit
        epsilon = format_epsilon(unit.threat.epsilon)
        what = f"{unit.key} {unit.model} point {unit.point} epsilon {epsilon} {unit.attack.name}"
        return f"{what}: " + (
            f"holds: objective <= {self.bound:g}" if not self.fault else self.fault
        )

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        unit = self.unit
        return {
            "key": unit.key,
            "model": unit.model,
            "point": unit.point,
            "epsilon": format_epsilon(unit.threat.epsilon),
            "attack": unit.attack.name,
            "bound": self.bound,
            "holds": self.fault is None,
            "fault": self.fault,
        }


def check_proofs(
    run: str, runs_dir: Path, data_dir: Path | None, keys: Sequence[str]
) -> Iterator[Checked]:
    """Checks the proofs of a run one after the other.

    Args:
        run: its name or folder.
        keys: of the units, or how they begin; all if none.

    Raises:
        UsageError: no unit with such a key has a proof.
        RunFolderError: a model of the run is gone.
    """
    folder = find_run(run, runs_dir)
    found = query(folder, PROVEN).rows
    wanted = [r for r in found if not keys or any(r[0].startswith(key) for key in keys)]
    if not wanted:
        raise UsageError(_none(found, keys))
    job = load_job(folder.path / "job.toml").job
    data = load_dataset(job.data.dataset, job.data.split, data_dir, job.data.classes)
    networks = _networks(job, folder, data, data_dir)
    units = {unit.key: unit for unit in make_units(job, data, networks)}
    for key, text, bound, verdict, proof in wanted:
        unit = units[key]
        question = _question(unit, data, networks[unit.model])
        yield Checked(unit, bound, _fault(question, text, bound, verdict, proof))


def _none(found: Sequence[object], keys: Sequence[str]) -> str:
    if found:
        return f"expected the key of a unit with a proof; got {' '.join(keys)}"
    return "the run has no proofs: attacks of kind exact or sat write one with proof = true"


def _fault(question: Question, text: str, bound: float, verdict: str, proof: str) -> str | None:
    """Why a proof does not prove what its row says, or None."""
    try:
        proven = check_proof(question, text)
    except ProofError as error:
        return str(error)
    if proof != Proof.EXACT:
        return None  # the row rests on something else
    if float(proven) > bound:
        return f"it proves {float(proven):g}; the row says {bound:g}"
    if verdict == Verdict.ROBUST and is_flip(proven, question.threat.tie):
        return f"an objective of {proven} is a flip; the row says {verdict}"
    return None


def _networks(
    job: Job, folder: RunFolder, data: Dataset, data_dir: Path | None
) -> dict[str, Network]:
    splits = training_splits(job, data, data_dir)
    models = read_models(job, data) | trained_models(job, folder.models, splits, _is_gone)
    return {name: model.network for name, model in models.items()}


def _is_gone(name: str, _request: TrainRequest) -> Model:
    raise RunFolderError(f"the run's folder models/ lacks the network {name!r} that was attacked")


def _question(unit: Unit, data: Dataset, network: Network) -> Question:
    label = int(data.labels[unit.point])
    return Question(network, data.pixels(unit.point), data.levels, label, unit.threat)
