"""What a job will take, before it is submitted."""

from __future__ import annotations

from dataclasses import dataclass

from bnnray.errors import SiteError
from bnnray.job import Job
from bnnray.submit.sites import Site
from bnnray.submit.times import parse_time


@dataclass(frozen=True)
class Plan:
    """Bounds of a job's cost: every unit runs up to its cutoff.

    Args:
        units: searches of the job, those included that are done already.
        licensed_units: those of them that may need a licence of Gurobi.
        tokens: how many of these run at a time at most; None without a limit.
        nodes: asked for.
        slots: searches that run at a time on all nodes.
        cpu_seconds: of all units at most, as cores of their slots.
        wall_seconds: at most, on all slots; without training, start and waiting for nodes.
        time_limit: of one Slurm job, in seconds.
    """

    units: int
    licensed_units: int
    tokens: int | None
    nodes: int
    slots: int
    cpu_seconds: float
    wall_seconds: float
    time_limit: int


def make_plan(job: Job, site: Site) -> Plan:
    """The plan of a checked job on a site.

    Raises:
        SiteError: the nodes have no room for a slot, or the time limit none for work.
    """
    slots = _slots(job, site)
    asked = job.data.points
    points = asked if isinstance(asked, int) else len(asked)
    questions = points * len(job.model) * len(job.threat.epsilon)
    cutoffs = [attack.time_limit for attack in job.attack]
    licensed = [attack.time_limit for attack in job.attack if attack.licensed]
    total, of_licensed = questions * sum(cutoffs), questions * sum(licensed)
    tokens = job_tokens(job, site)
    together = slots if tokens is None else min(slots, tokens)
    return Plan(
        units=questions * len(cutoffs),
        licensed_units=questions * len(licensed),
        tokens=tokens,
        nodes=site.nodes,
        slots=slots,
        cpu_seconds=total * job.resources.cpus_per_solve,
        wall_seconds=(total - of_licensed) / slots + of_licensed / together + max(cutoffs),
        time_limit=_time_limit(site),
    )


def job_tokens(job: Job, site: Site) -> int | None:
    """How many licences a job may hold there: the site's number, unless it has one of its own."""
    if job.resources.tokens is not None:
        return job.resources.tokens
    return None if isinstance(site.gurobi_tokens, str) else site.gurobi_tokens


def _slots(job: Job, site: Site) -> int:
    each = site.cores // job.resources.cpus_per_solve
    if not each:
        raise SiteError(
            f"cores: a search takes {job.resources.cpus_per_solve} cores (cpus_per_solve), and the "
            f"job gets {site.cores} of each node; ask for more: --set site.cores=N"
        )
    if site.min_nodes > site.nodes:
        raise SiteError(
            f"min_nodes: expected at most the {site.nodes} nodes asked for; got {site.min_nodes}"
        )
    return site.nodes * each


def _time_limit(site: Site) -> int:
    limit = parse_time(site.time)
    if limit <= site.drain:
        raise SiteError(
            f"time: the job stops taking up units {site.drain:g} s before its limit (drain), and "
            f"{site.time} leaves no time to work; ask for more: --time"
        )
    return limit
