"""Running a job: the driver, the keepers of slots, and the executors."""

from bnnray.runtime.rerun import Rerun
from bnnray.runtime.run import RunListener, RunOptions, RunResult, run_job

__all__ = ["Rerun", "RunListener", "RunOptions", "RunResult", "run_job"]
