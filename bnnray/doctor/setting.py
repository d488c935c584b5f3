"""What is examined, and where."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bnnray.errors import BnnrayError

GENERIC = "generic"


@dataclass(frozen=True)
class Setting:
    """What is examined.

    Args:
        runs_dir: the folder of the run folders, which need not be there yet.
        data_dir: searched for data sets first.
        site: name of the site profile that was asked for; None without one.
        partition: of the site; None for Slurm's default.
        nodes: that a job takes.
        scratch: the site's folder on each node's own disk.
    """

    runs_dir: Path
    data_dir: Path | None = None
    site: str | None = None
    partition: str | None = None
    nodes: int = 1
    scratch: str = "/tmp"

    @property
    def job(self) -> str | None:
        """Number of the Slurm job that this runs in; None outside of one."""
        return os.environ.get("SLURM_JOB_ID") or None

    @property
    def wants_slurm(self) -> bool:
        """Whether Slurm has to be here."""
        return self.site is not None or self.job is not None


def read_setting(runs_dir: Path, data_dir: Path | None, site: str | None) -> Setting:
    """The setting with what the site's profile says about it.

    Raises:
        SiteError: no such site, or a profile that is wrong.
    """
    try:
        from bnnray.submit.sites import load_site

        profile = load_site(site or GENERIC, Path.cwd(), {})
    except BnnrayError:
        raise
    except Exception:  # a package or the home folder is missing, which a check will say
        return Setting(runs_dir, data_dir, site)
    where = (profile.partition, profile.nodes, profile.scratch)
    return Setting(runs_dir, data_dir, site, *where)
