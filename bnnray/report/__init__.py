"""What is read out of a run's results."""

from bnnray.report.compare import Comparison, Contradiction, compare
from bnnray.report.export import export_csv, export_npz
from bnnray.report.listing import ListedRun, list_runs
from bnnray.report.originals import Originals
from bnnray.report.pictures import Picture, draw_pictures, make_picture, picture_png
from bnnray.report.report import Report, make_report, statistics
from bnnray.report.scope import Scope
from bnnray.report.show import PointAnswer, point_answers, point_pictures
from bnnray.report.statistics import WORST_CASE, AttackStatistics, Rate
from bnnray.report.status import AttackStatus, RunState, RunStatus, run_status
from bnnray.report.summary import SummaryRow, summarize
from bnnray.report.unit import UnitStory, is_key, unit_story
from bnnray.report.wilson import wilson

__all__ = [
    "WORST_CASE",
    "AttackStatistics",
    "AttackStatus",
    "Comparison",
    "Contradiction",
    "ListedRun",
    "Originals",
    "Picture",
    "PointAnswer",
    "Rate",
    "Report",
    "RunState",
    "RunStatus",
    "Scope",
    "SummaryRow",
    "UnitStory",
    "compare",
    "draw_pictures",
    "export_csv",
    "export_npz",
    "is_key",
    "list_runs",
    "make_picture",
    "make_report",
    "picture_png",
    "point_answers",
    "point_pictures",
    "run_status",
    "statistics",
    "summarize",
    "unit_story",
    "wilson",
]
