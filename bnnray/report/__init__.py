"""What is read out of a run's results."""

from bnnray.report.status import AttackStatus, RunState, RunStatus, run_status
from bnnray.report.summary import SummaryRow, summarize

__all__ = ["AttackStatus", "RunState", "RunStatus", "SummaryRow", "run_status", "summarize"]
