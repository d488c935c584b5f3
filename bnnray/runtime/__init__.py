"""Running a job: the driver, the keepers of slots, and the executors."""

from bnnray.runtime.listener import RunListener
from bnnray.runtime.nodes import NodeWait
from bnnray.runtime.prepare import prepare
from bnnray.runtime.rerun import Rerun
from bnnray.runtime.run import RunOptions, RunResult, run_job

__all__ = [
    "NodeWait",
    "Rerun",
    "RunListener",
    "RunOptions",
    "RunResult",
    "prepare",
    "run_job",
]
