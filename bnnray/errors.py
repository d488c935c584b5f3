"""The errors of bnnray, each with the exit code that the command line ends with.

    BnnrayError
    ├── UsageError              2    an argument or option (also a ValueError)
    │   ├── JobError            2    the job file
    │   ├── SiteError           2    a site profile or a batch template
    │   ├── ModelError          2    a model that is foreign, damaged or does not fit
    │   └── RunFolderError      2    a run folder that belongs to something else
    ├── SetupError              3    the machine around bnnray (also a RuntimeError)
    │   ├── DataError           3    a data set that is missing or damaged
    │   ├── LicenceError        3    no solver licence
    │   │   ├── ModelTooLarge   3    more variables or rows than the licence admits
    │   │   └── LicenceTaken    3    all licences are in use; later there may be one
    │   │       └── LicenceServerAway    the licence server does not answer; later it may
    │   ├── LicenceWait         3    a search that is put off until there is a licence
    │   ├── ProcessError        3    a slot's process that cannot be started
    │   ├── SlurmError          3    Slurm is away or refuses
    │   └── StorageError        3    a folder that cannot be written
    ├── WitnessError                 a claimed witness that is not in the threat's region
    ├── ProofError              4    a proof that does not prove what it claims
    │   └── ProofTimeout        4    a proof that takes longer to check than it may
    ├── BugError                70   bnnray contradicts itself
    └── Interrupted             75   drained on a signal; the same command goes on

A message says what was expected, what came, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BnnrayError(Exception):
    """Base of every error that bnnray raises on purpose."""

    exit_code = 70


class UsageError(BnnrayError, ValueError):
    """The user asked for something that cannot be."""

    exit_code = 2


class JobError(UsageError):
    """The job file has an unknown key, a wrong type or an impossible value."""


class SiteError(UsageError):
    """A site profile has an unknown key or an impossible value, or is not there."""


class ModelError(UsageError):
    """A model file is foreign, damaged, or does not fit the data."""


class RunFolderError(UsageError):
    """The run folder belongs to another job or to something else."""


class SetupError(BnnrayError, RuntimeError):
    """Something around bnnray is missing: data, a licence, a writable folder."""

    exit_code = 3


class DataError(SetupError):
    """A data set is missing, truncated, swapped or altered."""


class LicenceError(SetupError):
    """A solver has no licence here."""


class ModelTooLarge(LicenceError):
    """The licence at hand limits the size of a model, and this one is larger."""


class LicenceTaken(LicenceError):
    """There is a licence, and it cannot be had now: all of it is in use."""


class LicenceServerAway(LicenceTaken):
    """There is a licence, and it cannot be had now: who hands it out does not answer."""


class LicenceWait(SetupError):
    """A search is put off until a licence can be had: this is no outcome of it.

    Args:
        refusal: why there is none now.
    """

    def __init__(self, refusal: LicenceTaken) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class ProcessError(SetupError):
    """A process of a slot cannot be started."""


class SlurmError(SetupError):
    """Slurm does not answer, or refuses with the reason that the message holds."""


class StorageError(SetupError):
    """A folder or file cannot be written."""


class WitnessError(BnnrayError, ValueError):
    """A claimed witness has the wrong shape, type or range, or leaves the budget."""


class ProofError(BnnrayError, ValueError):
    """A proof does not prove what it claims."""

    exit_code = 4


class ProofTimeout(ProofError):
    """The check of a proof takes longer than it may; whether it holds is not known."""


class BugError(BnnrayError, AssertionError):
    """bnnray contradicts itself; never the user's fault."""


class Interrupted(BnnrayError):
    """The run was drained; what is left is done by the same command."""

    exit_code = 75


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """A message for a name that is not among the known ones, with the nearest of them."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {what} {name!r}; {hint}valid: {', '.join(choices)}"
