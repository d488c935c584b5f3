"""What a watcher is told of the slots, and the file that tells it."""

from __future__ import annotations

import time

from bnnray.attacks import MilpSettings
from bnnray.job import Unit
from bnnray.results.now import NOW, Now, read_now
from bnnray.runtime.cluster import SLOTS, Place, Shard
from bnnray.runtime.in_flight import InFlight
from bnnray.runtime.now_file import telling
from bnnray.threat import Domain, Threat, parse_epsilon

PLACE, OTHER = Place("a", "x", SLOTS, 1, "n1"), Place("b", "y", SLOTS, 2, "n2")


def shard(*points: int) -> Shard:
    threat = Threat(parse_epsilon("0.1"), Domain.GRID, 5)
    attack = MilpSettings(time_limit=9)
    return Shard(tuple(Unit(f"{p:032x}", "q", "f", "net", p, threat, attack) for p in points))


def test_a_slot_that_gets_free_takes_the_shard_that_came_first():
    clock = [0.0]
    flight = InFlight(lambda: clock[0])
    first, second, third, elsewhere = shard(0), shard(1, 2), shard(3), shard(4)
    for n, (one, place) in enumerate(
        [(first, PLACE), (second, PLACE), (elsewhere, OTHER), (third, PLACE)]
    ):
        clock[0] = float(n)
        flight.out(one, place)
    now = flight.look([PLACE, OTHER], 10)
    assert (now.slots, now.busy, now.waiting) == (3, 2, 13)
    assert [(s.points, s.host, s.seconds) for s in now.running] == [
        ((0,), "n1", 3.0), ((4,), "n2", 1.0),
    ]  # fmt: skip
    flight.back(third, PLACE)
    flight.back(first, PLACE)
    clock[0] = 10.0
    now = flight.look([PLACE], 0)
    assert [(s.points, s.seconds) for s in now.running] == [((4,), 8.0), ((1, 2), 7.0)]
    assert (now.slots, now.waiting) == (1, 0)
    flight.back(second, PLACE)
    flight.back(elsewhere, OTHER)
    assert flight.look([], 0) == Now(0, 0, 0, ())


def test_the_file_is_there_while_somebody_tells(tmp_path):
    path = tmp_path / NOW
    path.parent.mkdir()
    path.write_text("of a driver that was killed")
    flight = InFlight()
    flight.out(shard(7, 8), OTHER)
    with telling(tmp_path) as file:
        assert not path.exists()
        assert file.due
        now = flight.look([OTHER], 3)
        file.tell(now)
        assert not file.due
        deadline = time.monotonic() + 240
        while read_now(tmp_path) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert read_now(tmp_path) == now
    assert list(path.parent.iterdir()) == []


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "logs").write_text("not a folder")
    with telling(tmp_path) as file:
        file.tell(Now(1, 0, 0, ()))
    assert read_now(tmp_path) is None
