"""A job of some seconds on real digits, who listens to it, and its rows."""

from __future__ import annotations

from bnnray.results import query

JOB = """
name = "digits"
[data]
dataset = "digits"
points = 4
[[model]]
name = "net"
hidden = [20, 12]
train = { epochs = 4 }
[threat]
epsilon = ["1/16", "2/16"]
domain = "grid"
[[attack]]
kind = "pgd"
iterations = 10
restarts = 3
time_limit = "1min"
[[attack]]
kind = "milp"
backend = "highs"
time_limit = "2min"
"""

SAME = "key, verdict, proof, status, objective, bound, flipped, target, seed, linf, l0, iterations"


class Listener:
    def __init__(self) -> None:
        self.epochs = 0
        self.records: list = []
        self.begun: tuple[int, int] | None = None

    def note(self, text) -> None:
        pass

    def damaged(self, problems) -> None:
        self.problems = problems

    def training(self, model, record) -> None:
        self.epochs += 1

    def trained(self, model, result) -> None:
        pass

    def begin(self, total, done) -> None:
        self.begun = (total, done)

    def finished(self, records) -> None:
        self.records += records


def rows(folder, columns=SAME):
    return query(folder, f"select {columns} from results order by key").rows
