"""Running a job: the driver, the keepers of slots, and the executors."""

from bnnray.runtime.run import RunListener, RunOptions, RunResult, run_job

__all__ = ["RunListener", "RunOptions", "RunResult", "run_job"]
