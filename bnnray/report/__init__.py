"""What is read out of a run's results."""

from bnnray.report.summary import SummaryRow, summarize

__all__ = ["SummaryRow", "summarize"]
