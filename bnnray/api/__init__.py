"""What a notebook or a script uses: one question's answer, a run's tables."""

from bnnray.api.answer import Answer
from bnnray.api.ask import attack, verify
from bnnray.api.load import Run, load

__all__ = ["Answer", "Run", "attack", "load", "verify"]
