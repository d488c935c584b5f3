"""A slot: whatever a search or its solver does, limits hold and what was found counts."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from hostile import Hostile, HostileBatch, HostileSettings
from tiny import Size, random_network

from bnnray.attacks import ATTACKS, SINGLE, CascadeSettings, MilpSettings
from bnnray.encodings import interval_bound, interval_ranges
from bnnray.job import Unit
from bnnray.logs import LogSettings
from bnnray.network import IntArray, Network
from bnnray.processes import Nursery
from bnnray.runtime.cluster import Shard
from bnnray.runtime.context import RunContext
from bnnray.runtime.keeper import Keeper
from bnnray.runtime.slot import Slot
from bnnray.threat import Domain, Goal, Question, Threat, parse_epsilon, replay

POINTS = 6


@pytest.fixture(autouse=True)
def hostile(monkeypatch):
    monkeypatch.setitem(ATTACKS, "hostile", Hostile)
    monkeypatch.setitem(SINGLE, "hostile", Hostile)
    monkeypatch.setitem(ATTACKS, "hostile batch", HostileBatch)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)


@pytest.fixture(scope="module")
def context() -> RunContext:
    network, images = flippable()
    return RunContext(
        job="job",
        session=1,
        dataset="tiny",
        split="test",
        levels=5,
        images=dict(enumerate(images)),
        labels=dict.fromkeys(range(POINTS), 0),
        networks={"net": network},
        threads=1,
        memory=math.inf,
        modules=("hostile_registered",),
        versions="{}",
    )


def flippable() -> tuple[Network, list[IntArray]]:
    """A network, and images of several predicted classes whose upper corner flips it."""
    for seed in range(10_000):
        rng = np.random.default_rng(seed)
        network = random_network(rng, Size(4, (3,), 3, 5), nasty=False)
        drawn = [rng.integers(0, 6, size=4) for _ in range(100)]
        images = [pixels for pixels in drawn if upper_corner_flips(network, pixels)]
        classes = {int(network.predict(pixels[None, :], 5)[0]) for pixels in images[:3]}
        if len(images) >= POINTS and len(classes) == 3:
            return network, images[:POINTS]
    raise AssertionError("no such network")


@pytest.fixture
def keeper(context):
    keeper = Keeper(context, slots=2)
    yield keeper
    keeper.close()


THREAT = Threat(parse_epsilon("0.5"), Domain.GRID, 5)


def upper_corner_flips(network, pixels) -> bool:
    question = Question(network, pixels, 5, 0, THREAT)
    clean, corner = question.region.clean_witness, question.region.upper
    return not replay(question, clean).flipped and replay(question, corner).flipped


def unit(point: int, attack) -> Unit:
    return Unit(f"{point:032d}", f"{point:032d}", "family", "net", point, THREAT, attack)


def shard(*attacks, attempt: int = 1) -> Shard:
    return Shard(tuple(unit(p, attack) for p, attack in enumerate(attacks)), attempt)


def hostile_to(how: str, **settings) -> HostileSettings:
    return HostileSettings(how=how, **{"time_limit": 0.4, **settings})


def test_units_of_a_shard_end_one_by_one_in_order(keeper):
    done = keeper.run(shard(*[MilpSettings(backend="highs")] * 3, attempt=2))
    assert done.error == ""
    assert [r.row["point"] for r in done.records] == [0, 1, 2]
    assert {r.row["status"] for r in done.records} == {"optimal"}
    assert {r.row["attempt"] for r in done.records} == {2}


@pytest.mark.parametrize("where", ["search", "solver"])
@pytest.mark.parametrize("how", ["spin", "sleep", "flood"])
def test_no_limit_is_ignored_and_what_was_found_counts(keeper, where, how):
    began = time.monotonic()
    bad, good = hostile_to(how, where=where), hostile_to("well")
    done = keeper.run(shard(bad, good))
    assert time.monotonic() - began < 0.4 + 60  # what misbehaves would do so for an hour
    assert done.error == ""
    row, other = [r.row for r in done.records]
    assert (row["status"], row["verdict"]) == ("killed", "vulnerable")
    assert row["bound"] == row["objective_max"]
    assert row["message"] in (
        "killed: the search ignored its time limit",
        "killed: the solver ignored its time limit",
    )
    assert other["status"] in ("optimal", "flip_found")


def corner_is_open(question: Question) -> bool:
    """Whether interval arithmetic leaves more than the objective of the upper corner."""
    (objective,), corner = question.objectives, replay(question, question.region.upper)
    return interval_bound(objective, interval_ranges(question)[-1]) > corner.objective


def cascade_after(how: str, where: str, **settings) -> CascadeSettings:
    bad = hostile_to(how, where=where)
    return CascadeSettings(stages=(bad, MilpSettings(backend="highs")), **settings)


@pytest.mark.parametrize("how", ["sleep", "segfault"])
def test_a_stage_whose_solver_had_to_be_killed_or_died_does_not_end_a_cascade(keeper, context, how):
    asked = [unit(point, cascade_after(how, "solver")) for point in range(POINTS)]
    narrow = (replace(u, threat=Threat(parse_epsilon("0.2"), Domain.GRID, 5)) for u in asked)
    left_open = next(u for u in narrow if corner_is_open(context.question(u)))
    (record,) = keeper.run(Shard((left_open,), 1)).records
    row = record.row
    assert (row["status"], row["decided_by"], row["attempt"]) == ("optimal", "milp", 1)
    assert row["message"].startswith("stage hostile: ")
    stages = json.loads(row["stage_seconds"])
    assert list(stages) == ["intervals", "hostile", "milp"]
    assert sum(stages.values()) <= row["seconds"] + 1e-5


def test_a_cascade_that_had_to_be_killed_keeps_what_was_found_and_tells_of_no_stage(keeper):
    (record,) = keeper.run(shard(cascade_after("spin", "search", time_limit=0.5))).records
    row = record.row
    assert (row["status"], row["verdict"]) == ("killed", "vulnerable")
    assert row["bound"] == row["objective_max"]
    assert (row["decided_by"], row["stage_seconds"]) == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say what memory is used")
@pytest.mark.parametrize("where", ["search", "solver"])
def test_memory_caps_hold_and_neighbours_go_on(context, where):
    keeper = Keeper(replace(context, memory=600 * 2**20), slots=2)
    neighbour = []
    long = hostile_to("well", seconds=2.0, time_limit=60)
    thread = threading.Thread(target=lambda: neighbour.append(keeper.run(shard(long))))
    thread.start()
    done = keeper.run(shard(hostile_to("allocate", where=where, time_limit=60), hostile_to("well")))
    thread.join()
    keeper.close()
    row, other = [r.row for r in done.records]
    assert (row["status"], row["verdict"]) == ("memory_limit", "vulnerable")
    assert "took more memory than 600MiB" in row["message"]
    assert other["status"] == "optimal"
    assert neighbour[0].records[0].row["status"] == "optimal"


@pytest.mark.parametrize("where", ["search", "solver"])
@pytest.mark.parametrize("threads", [1, 2])
def test_numpy_keeps_to_the_cores_of_a_slot(context, where, threads):
    keeper = Keeper(replace(context, threads=threads), slots=1)
    (record,) = keeper.run(shard(hostile_to("count threads", where=where))).records
    keeper.close()
    assert record.row["message"] == str({threads})


@pytest.mark.parametrize(
    ("how", "obituary"),
    [("segfault", "was ended by SIGSEGV"), ("exit", "ended with exit code 7")],
)
def test_a_search_that_dies_leaves_its_unit_without_a_record(keeper, how, obituary):
    done = keeper.run(
        shard(hostile_to("well"), hostile_to(how, where="search"), hostile_to("well"))
    )
    assert [r.row["point"] for r in done.records] == [0]
    assert done.error == f"the slot's process {obituary}"
    assert len(keeper.run(shard(hostile_to("well"))).records) == 1


def test_a_solver_that_dies_is_tried_thrice_and_its_unit_crashed(keeper):
    (record,) = keeper.run(shard(hostile_to("segfault", time_limit=60))).records
    assert (record.row["status"], record.row["verdict"]) == ("crashed", "vulnerable")
    assert record.row["message"] == "the solver's process was ended by SIGSEGV"


def test_a_solver_that_dies_once_has_its_answer(keeper, tmp_path):
    once = hostile_to("die once", mark=str(tmp_path / "mark"), time_limit=60)
    (record,) = keeper.run(shard(once)).records
    assert (tmp_path / "mark").exists()
    assert record.row["status"] == "optimal"


@pytest.mark.parametrize("where", ["search", "solver"])
def test_what_raises_is_a_crash_that_says_what(keeper, where):
    (record,) = keeper.run(shard(hostile_to("raise", where=where))).records
    assert record.row["status"] == "crashed"
    assert record.row["message"].startswith("ArithmeticError: as told")


def test_the_log_says_where_a_search_or_its_solver_went_wrong(context, caplog):
    """What the slot's processes say comes to this one, with the key of the unit."""
    keeper = Keeper(replace(context, log=LogSettings(Path("nowhere"))), slots=1)
    bad = [("raise", "search"), ("raise", "solver"), ("segfault", "solver")]
    attacks = [hostile_to(how, where=where, time_limit=60) for how, where in bad]
    done = keeper.run(shard(*attacks))
    keeper.close()
    found = [(r.getMessage(), r.fields) for r in caplog.records if r.levelname == "WARNING"]
    names = [(name, int(fields["key"])) for name, fields in found]
    assert names == [
        ("search_raised", 0), ("unit_ended", 0), ("search_raised", 1), ("unit_ended", 1),
        ("solver_died", 2), ("solver_died", 2), ("solver_died", 2), ("unit_ended", 2),
    ]  # fmt: skip
    assert [fields["status"] for name, fields in found if name == "unit_ended"] == ["crashed"] * 3
    assert [r.row["status"] for r in done.records] == ["crashed"] * 3
    for number in (0, 2):
        assert "in misbehave\n" in found[number][1]["traceback"]
    assert "in the solver's process:\n" in found[2][1]["traceback"]
    assert found[4][1]["stderr"].startswith("Fatal Python error: Segmentation fault")
    assert "in misbehave\n" in found[4][1]["stderr"]


def test_a_wrong_witness_is_no_flip(keeper):
    (record,) = keeper.run(shard(hostile_to("wrong witness"))).records
    assert record.row["status"] == "bad_witness"
    assert record.row["replay"] == "disagrees"
    assert record.row["objective"] < record.row["objective_claimed"]


def test_a_killed_slot_is_replaced(keeper):
    done = []
    thread = threading.Thread(
        target=lambda: done.append(keeper.run(shard(hostile_to("sleep", time_limit=60))))
    )
    thread.start()
    deadline = time.monotonic() + 240
    while not (killed := searching()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(killed[0], signal.SIGKILL)
    thread.join()
    assert done[0].records == []
    assert done[0].error == "the slot's process was ended by SIGKILL"
    assert len(keeper.run(shard(hostile_to("well"))).records) == 1


def searching() -> list[int]:
    """Slots' processes that have a solver's process beside them; the slot is the older."""
    nurseries = [p for p in psutil.Process().children() if "nurse" in " ".join(p.cmdline())]
    children = [p for nursery in nurseries for p in nursery.children()]
    return [min(children, key=lambda p: p.pid).pid] if len(children) == 2 else []


@pytest.mark.parametrize("targetless", [0, 1, 2])
def test_units_that_ask_nothing_disturb_no_batch(context, monkeypatch, targetless):
    """A class cannot be turned into itself: such a unit of a batch has no clock."""
    monkeypatch.setattr("bnnray.runtime.slot.IDLE_SECONDS", 5.0)
    keeper = Keeper(context, slots=1)
    goal = Goal(
        str(Question(context.networks["net"], context.images[targetless], 5, 0, THREAT).predicted)
    )
    units = [replace(u, threat=replace(u.threat, goal=goal)) for u in together("sleep", 3).units]
    done = keeper.run(Shard(tuple(units)))
    keeper.close()
    statuses = {record.row["point"]: record.row["status"] for record in done.records}
    assert done.error == ""
    assert statuses == {p: "skipped" if p == targetless else "killed" for p in range(3)}


def test_all_units_of_a_killed_batch_count(keeper):
    done = keeper.run(together("sleep", 3))
    assert {r.row["status"] for r in done.records} == {"killed"}
    assert {r.row["verdict"] for r in done.records} == {"vulnerable"}


def together(how: str, count: int) -> Shard:
    """A shard of an attack that is batched."""
    attack = hostile_to(how, where="search", kind="hostile batch")
    return shard(*[attack] * count)


def test_a_drained_keeper_begins_nothing_new(keeper):
    done = []
    slow = hostile_to("well", seconds=4.0, time_limit=60)
    thread = threading.Thread(target=lambda: done.append(keeper.run(shard(slow, slow, slow))))
    thread.start()
    time.sleep(2)
    keeper.drain()
    thread.join()
    assert [r.row["point"] for r in done[0].records] == [0]
    assert done[0].error == ""
    waiting = keeper.run(shard(slow))
    assert (waiting.records, waiting.begun) == ([], frozenset())


def test_what_had_begun_is_told_from_what_had_not(keeper):
    done = keeper.run(
        shard(hostile_to("well"), hostile_to("exit", where="search"), hostile_to("well"))
    )
    assert done.begun == {f"{point:032d}" for point in (0, 1)}


def test_without_processes_nothing_has_begun(context):
    keeper = Keeper(context, slots=1)
    keeper.close()
    done = keeper.run(shard(hostile_to("well")))
    assert (done.records, done.begun) == ([], frozenset())
    assert "no process is started" in done.error


def test_a_slot_that_kept_half_of_its_memory_is_replaced(context):
    """Else the next units would pay for what former ones left behind."""
    nursery = Nursery(("bnnray.runtime.slot_process", "hostile_registered"))
    slot = Slot(context, nursery, threading.Event())
    slot.run(shard(hostile_to("well")))
    first = slot._process.pid
    slot._context = replace(context, memory=1.5 * slot._process.memory())
    assert slot.run(shard(hostile_to("well"))).error == ""
    assert slot._process.pid != first
    nursery.close()


def test_a_search_that_does_not_even_begin_is_killed(context, monkeypatch):
    monkeypatch.setattr("bnnray.runtime.slot.IDLE_SECONDS", 0.5)
    nursery = Nursery(("bnnray.runtime.slot_process", "hostile_registered"))
    slot = Slot(context, nursery, threading.Event())
    done = slot.run(shard(hostile_to("hang at start")))
    nursery.close()
    assert done.records == []
    assert "gave no sign of life for" in done.error


def test_a_closed_keeper_ends_what_runs(keeper):
    done = []
    thread = threading.Thread(
        target=lambda: done.append(keeper.run(shard(hostile_to("sleep", time_limit=3600))))
    )
    thread.start()
    time.sleep(1)
    keeper.close()
    thread.join(20)
    assert not thread.is_alive()
    assert done[0].records == []
