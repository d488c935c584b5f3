"""Whether this machine, and the cluster around it, can do what bnnray needs.

The modules import other parts of bnnray when a check runs: a package that is missing or broken is
a finding, and must not keep the other checks from theirs.
"""

from bnnray.doctor.checks import CHECKS, examine
from bnnray.doctor.finding import Finding, Level
from bnnray.doctor.setting import Setting, read_setting

__all__ = ["CHECKS", "Finding", "Level", "Setting", "examine", "read_setting"]
