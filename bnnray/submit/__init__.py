"""Jobs on a Slurm cluster: site profiles, the batch script, and following what was submitted."""

from bnnray.submit.follow import (
    cancel,
    follow_log,
    read_log,
    slurm_state,
    tunnel,
    wait_for_end,
)
from bnnray.submit.plan import Plan
from bnnray.submit.record import Submitted, last_submitted, read_submitted
from bnnray.submit.shipped import copy_out
from bnnray.submit.slurm import SlurmJob
from bnnray.submit.submit import Checked, Request, check, submit

__all__ = [
    "Checked",
    "Plan",
    "Request",
    "SlurmJob",
    "Submitted",
    "cancel",
    "check",
    "copy_out",
    "follow_log",
    "last_submitted",
    "read_log",
    "read_submitted",
    "slurm_state",
    "submit",
    "tunnel",
    "wait_for_end",
]
